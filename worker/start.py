"""The first step of every command: little is imported here, so that Ctrl-C is heeded at once."""

from worker.interrupt import leave_at_once


def main(*, prog_name: str = "claimcast") -> None:
    """
    Be the command `claimcast`, as the console script calls it; does not return.

    Importing takes most of a short command's time. Ctrl-C during it ends the process with one
    line instead of a traceback: nothing was begun by then.
    """
    leave_at_once()
    from worker.cli import main as claimcast  # noqa: PLC0415 - only now is Ctrl-C heeded

    claimcast(prog_name=prog_name)
