"""
`python -m bench.check`, for CI: fails below half of the recorded ratio to the ceiling.

Only ratios within a round are compared, never times. As other processes may be in the way, it
is measured once more before it fails.
"""

import itertools
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from bench.measures.small import small_ratios
from bench.report.recorded import BenchVerdict, judge, recorded
from bench.world.installation import open_world
from bench.world.processes import BenchError

_TRIES = 2


def main() -> int:
    """Return 0 if it is still fast, 1 if it is not, 2 if nothing could be measured."""
    directory = Path(tempfile.mkdtemp(prefix="claimcast-bench-"))
    directory.chmod(0o755)  # smtp-sink changes its user
    try:
        verdict = uvloop.run(_check(directory))
    except BenchError as error:
        say(f"The bench failed: {error}")
        return 2
    finally:
        shutil.rmtree(directory)
    return 0 if verdict.holds else 1


async def _check(directory: Path) -> BenchVerdict:
    before = recorded()
    async with open_world(directory / "world", "auto") as world:
        for attempt in itertools.count(1):
            verdict = judge(await small_ratios(world, f"try-{attempt}"), before)
            say(f"bench: {verdict.text}")
            if verdict.holds or attempt == _TRIES:
                return verdict
    raise AssertionError  # for mypy: count() does not end


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
