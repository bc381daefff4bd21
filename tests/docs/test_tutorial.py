"""The tutorial is what a newcomer sees: its commands are run in its order against a sandbox."""

from collections import Counter
from pathlib import Path

import pytest

from tests.docs.walkthrough import Walk, missing_lines, steps
from tests.end_to_end.support.world import kill_valkey
from tests.support.root import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text("utf-8")


def test_the_tutorial_goes_as_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    try:
        # A lease that was in hand at the kill is waited for; the reader is told to wait, too.
        with Walk(folder, {"CLAIMCAST_LEASE_SECONDS": "3"}) as walk:
            for step in steps(PAGE):
                walk.do(step)
    finally:
        kill_valkey(folder)


def test_no_step_of_the_tutorial_is_overlooked() -> None:
    kinds = Counter(step.kind for step in steps(PAGE))
    marks = Counter({kind: PAGE.count(f"<!-- {kind}") for kind in ("run", "file", "shows")})
    assert kinds == marks
    commands = {line for step in steps(PAGE) for line in step.text.splitlines()}
    for command in ("validate", "test-send", "run", "status", "recipient", "report", "verify"):
        assert any(line.startswith(f"claimcast {command} ") for line in commands), command


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        ("one\ntwo", []),
        ("one\nthree", []),
        ("t…\nthree", []),
        ("two\none", ["one"]),
        ("tw", ["tw"]),
        ("one\none", ["one"]),
    ],
)
def test_what_is_shown_is_compared_line_by_line(shown: str, missing: list[str]) -> None:
    assert list(missing_lines(shown, "one\ntwo\nthree\n")) == missing
