"""`python -m tests.mutants [NAME...]`: make defects by hand, and see that each is caught."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from tests.mutants.defect import Defect
from tests.mutants.defects import DEFECTS, markdown
from tests.mutants.proof import Run, Verdict, Workshop, judge, workshop


def main() -> int:
    """Return 0 if every defect was caught by its test, 1 if not, 2 if it cannot be told."""
    arguments = _arguments()
    if arguments.table:
        sys.stdout.write(markdown() + "\n")
        return 0
    defects = _chosen(arguments.names)
    signal.signal(signal.SIGTERM, _leave)
    started = time.monotonic()
    with workshop() as copy:
        problem = _not_ready(copy, defects, arguments.seconds)
        if problem is not None:
            say(problem)
            return 2
        caught = sum(_proven(copy, defect, arguments.seconds) for defect in defects)
    say(f"{caught} of {len(defects)} caught, {time.monotonic() - started:.0f} s in all")
    return 0 if caught == len(defects) else 1


def _not_ready(copy: Workshop, defects: Sequence[Defect], seconds: float) -> str | None:
    """Return why nothing could be proven, None if the tests pass in the unchanged copy."""
    if not copy.imports_itself():
        return "the copy imports what is installed instead of itself: nothing could be proven"
    tests = list(dict.fromkeys(defect.test for defect in defects))
    say(f"{len(tests)} tests without any defect ...")
    run = copy.run(tests, seconds * len(tests))
    return None if run.status == 0 else f"they fail already:\n{run.last_words}"


def _proven(copy: Workshop, defect: Defect, seconds: float) -> bool:
    with copy.with_defect(defect):
        run = copy.run([defect.test], seconds)
    verdict = judge(run, defect)
    say(_line(defect, run, verdict))
    if verdict is not Verdict.CAUGHT:
        say(run.last_words)
    return verdict is Verdict.CAUGHT


def _line(defect: Defect, run: Run, verdict: Verdict) -> str:
    head = f"{verdict:8} {run.seconds:5.1f} s  {defect.name:38} "
    return f"{head} {defect.test_name}\n{'':18} {defect.costs}"


def _chosen(names: Sequence[str]) -> Sequence[Defect]:
    known = {defect.name: defect for defect in DEFECTS}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"there is no defect {unknown[0]}; there are: {', '.join(known)}")
    return [known[name] for name in names] or DEFECTS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    parser.add_argument(
        "--seconds", type=float, default=60, help="that one test may take; default: %(default)s"
    )
    parser.add_argument("--table", action="store_true", help="print the table of all only")
    return parser.parse_args()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit("interrupted")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
