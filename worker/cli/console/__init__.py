"""What every command shares with a person's terminal: errors, questions, tables, signals."""
