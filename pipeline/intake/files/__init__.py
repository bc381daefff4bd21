"""What stands in a file and in which line: formats, rows and problems by line."""
