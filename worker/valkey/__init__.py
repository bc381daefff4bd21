"""The Valkey that runs beside the commands when no server is configured."""
