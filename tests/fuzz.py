"""
`python -m tests.fuzz`: every property test again with new examples, for as long as one likes.

As a plugin of pytest it brings the profile that they run under.
"""

import argparse
import subprocess
import sys
import time

from hypothesis import HealthCheck, settings

from tests.support.root import ROOT

_PROFILE = "fuzz"
_EXAMPLES = 500
"""Per test and round: few enough that a round is over within minutes."""
_HANG = 900

settings.register_profile(
    _PROFILE,
    max_examples=_EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def main() -> int:
    """Return 0 if nothing was found; else what pytest says stands above, with how to repeat it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="default: %(default)s")
    parser.add_argument("tests", nargs="*", default=["tests"], help="files; default: all")
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes
    rounds = 0
    while not rounds or time.monotonic() < until:
        if status := _round(arguments.tests):
            return status
        rounds += 1
    sys.stderr.write(f"{rounds} rounds of {_EXAMPLES} examples per test, and nothing was found.\n")
    return 0


def _round(tests: list[str]) -> int:
    options = ["-q", "-x", "-m", "hypothesis", "--timeout", str(_HANG)]
    plugin = ["-p", "tests.fuzz", "--hypothesis-profile", _PROFILE]
    command = [sys.executable, "-m", "pytest", *options, *plugin, *tests]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
