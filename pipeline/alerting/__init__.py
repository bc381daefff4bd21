"""When somebody is notified, and of what: the rules of alerts and their messages."""
