"""What is measured on: machine, processes, people, sinks, an installation."""
