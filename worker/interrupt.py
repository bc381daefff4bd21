"""
Ctrl-C before a command has begun: one line instead of a traceback.

Nothing else is imported here, so that it is heeded from the first moment of a process on.
"""

import os
import signal
from types import FrameType

INTERRUPTED = 130  # what shells expect after Ctrl-C
UNBEGUN = "Interrupted before anything was begun."


def leave_at_once() -> None:
    """Let Ctrl-C end the process with one line while everything is still being imported."""
    # A process that was started with Ctrl-C ignored (nohup, a background job) stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def begin() -> None:
    """Give Ctrl-C its usual meaning: all is imported and the command begins; may be repeated."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    # An exception would come up in the middle of some import, which may swallow it.
    try:
        os.write(2, f"{UNBEGUN}\n".encode())
    finally:
        os._exit(INTERRUPTED)
