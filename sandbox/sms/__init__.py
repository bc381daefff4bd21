"""The SMS API, as Twilio's looks."""
