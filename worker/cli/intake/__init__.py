"""A campaign taken in at a terminal: files and pipes, the question, what is wrong in words."""
