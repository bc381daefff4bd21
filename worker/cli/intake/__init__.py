"""A campaign's two files on their way in: checks, preview, the question, the submit."""
