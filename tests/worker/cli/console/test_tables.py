"""Columns stand below each other, and nothing that is shown steers the terminal."""

import os
import pty
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from tests.support.root import ROOT
from worker.cli.console.tables import columns, facts, folded

LONG = "It is held up by something that takes more words to explain than one line has room for."


def test_columns_are_aligned() -> None:
    rows = [("a", "1", "first"), ("long name", "1,000", "second")]

    assert columns(("name", "number", "note"), rows, right=[1]) == [
        "\x1b[1mname       number  note\x1b[0m",
        "a               1  first",
        "long name   1,000  second",
    ]


def test_a_table_without_rows_is_its_heading() -> None:
    assert columns(("a", "b"), []) == ["\x1b[1ma  b\x1b[0m"]
    assert columns((), []) == []


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_whatever_is_said_is_one_line_each_that_steers_nothing(
    rows: list[tuple[str, str]],
) -> None:
    lines = columns((), rows)

    assert len(lines) == len(rows)
    assert all(line.isprintable() for line in lines)


def test_facts_and_sentences_are_whole_lines_where_no_terminal_is() -> None:
    assert facts([("state", LONG)]) == [f"\x1b[1mstate\x1b[0m  {LONG}"]
    assert folded(LONG) == [LONG]


def test_at_a_terminal_they_are_folded_below_where_they_begin() -> None:
    program = f"""
from worker.cli.console.tables import columns, facts, folded
lines = facts([("state", {LONG!r})]) + folded({LONG!r}) + columns((), [("a", {LONG!r})])
print("\\n".join(lines))
"""
    master, line = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT), "COLUMNS": "40", "LINES": "24"},
        stdout=line,
        timeout=120,
        check=True,
    )
    os.close(line)
    shown = os.read(master, 65536).decode().replace("\x1b[1m", "").replace("\x1b[0m", "")
    os.close(master)

    assert done.returncode == 0
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[0] == "state  It is held up by something that"
    assert lines[1] == "       takes more words to explain than"
    assert " ".join(" ".join(lines).split()).count(LONG) == 3
