"""`python -m tests.chaos`: kill everything at any moment, and count what that costs."""

import argparse
import json
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.chaos import recovery
from tests.chaos.report import as_json, as_text
from tests.chaos.run import Settings, run


def main() -> int:
    """Return 0 if nothing was lost or doubled; else keep the evidence, and say where it is."""
    if sys.argv[1:2] == ["recovery"]:
        return recovery.main(sys.argv[2:], say)
    arguments = _arguments()
    seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    words = f"--seed {seed} --people {arguments.people} --minutes {arguments.minutes:g}"
    command = f"make chaos CHAOS='{words}'"
    directory = Path(tempfile.mkdtemp(prefix="claimcast-chaos-"))
    say(f"{command}   (in {directory})")
    settings = Settings(
        seed=seed,
        people=arguments.people,
        seconds=arguments.minutes * 60,
        directory=directory,
        hasty=arguments.hasty,
        say=say,
    )
    try:
        outcome = uvloop.run(run(settings))
    except BaseException:
        _say_how_to_repeat(directory, command)
        raise
    document = json.dumps({"command": command, **as_json(outcome)}, indent=2)
    (directory / "outcome.json").write_text(document, "utf-8")
    say(as_text(outcome))
    sys.stdout.write(document + "\n")
    if outcome.ok and not arguments.keep:
        shutil.rmtree(directory)
    else:
        _say_how_to_repeat(directory, command)
    return 0 if outcome.ok else 1


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _say_how_to_repeat(directory: Path, command: str) -> None:
    say(f"\nThe evidence is in {directory}. To repeat it: {command}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="what happens when; default: any")
    parser.add_argument("--people", type=int, default=20_000, help="default: %(default)s")
    parser.add_argument(
        "--minutes", type=float, default=2.5, help="of faults; default: %(default)s"
    )
    parser.add_argument("--keep", action="store_true", help="keep the evidence in any case")
    parser.add_argument(
        "--hasty", action="store_true", help="do not wait for the look-ups of uncertain SMS"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
