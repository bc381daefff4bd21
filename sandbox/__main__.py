from sandbox.cli import command

command(prog_name="python -m sandbox")
