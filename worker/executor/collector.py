"""The garbage collector of a process that works for a long time."""

import gc


def tune_garbage_collector() -> None:
    """Look for cycles less often, and never among what was imported: a twentieth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
