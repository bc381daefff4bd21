"""The first step of every command: little is imported here, so that Ctrl-C is heeded at once."""

import os
import signal
from types import FrameType

INTERRUPTED = 130  # what shells expect after Ctrl-C
UNBEGUN = "Interrupted before anything was begun."


def main(*, prog_name: str = "claimcast") -> None:
    """
    Be the command `claimcast`, as the console script calls it; does not return.

    Importing takes most of a short command's time. Ctrl-C during it ends the process with one
    line instead of a traceback: nothing was begun by then.
    """
    # Who was started with Ctrl-C ignored (nohup, a job in the background) stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from worker.cli import main as claimcast  # noqa: PLC0415 - only now is Ctrl-C heeded

    claimcast(prog_name=prog_name)


def begin() -> None:
    """Give Ctrl-C its usual meaning: all is imported and the command begins; may be repeated."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    # An exception would come up in the middle of somebody's import, who may swallow it.
    try:
        os.write(2, f"{UNBEGUN}\n".encode())
    finally:
        os._exit(INTERRUPTED)
