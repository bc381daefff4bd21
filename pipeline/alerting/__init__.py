"""When somebody is told what: the rules of alerts and their messages."""
