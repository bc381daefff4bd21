"""The shell around the pipeline: commands, the arq worker, the web application."""
