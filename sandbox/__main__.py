"""`python -m sandbox` runs the sandbox."""

from sandbox.cli import command

command(prog_name="python -m sandbox")
