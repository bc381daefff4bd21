"""What the README says is so: its settings, its log events, its alert, its layout."""

import ast
import json
import re
from collections.abc import Iterator

from pipeline.alerting.messages import of_campaign
from pipeline.store.formats.alert_records import AlertCause, AlertKind
from pipeline.store.formats.snapshot import CampaignSnapshot
from tests.support.root import ROOT

README = (ROOT / "README.md").read_text("utf-8")
OURS = ["worker", "pipeline", "channels", "config", "sandbox"]
LEVELS = {"info", "warning", "error", "exception"}


def section(title: str) -> str:
    """Return the text below the heading *title*, up to the next heading."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def code_blocks(language: str) -> list[str]:
    """Return the README's blocks of code in *language*."""
    fenced = README.split("\n```")[1::2]
    return [
        text for name, _, text in (block.partition("\n") for block in fenced) if name == language
    ]


def code_block(language: str) -> str:
    """Return the README's only block of code in *language*."""
    (block,) = code_blocks(language)
    return block


def log_events() -> Iterator[str]:
    """Yield every event that the code logs: the first argument of `log.…` and of `_line`."""
    for folder in OURS:
        for path in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(call, ast.Call) and call.args and _logs(call.func):
                    first = call.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        yield first.value


def _logs(function: ast.expr) -> bool:
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value
    is_log = isinstance(owner, ast.Name) and owner.id == "log" and function.attr in LEVELS
    return is_log or function.attr == "_line"


def test_the_alert_that_is_shown_is_what_is_posted() -> None:
    people = {"p:reached": "400", "p:open": "600"}
    fields = {"id": "survey-2026-11", "n": "1000", "blk:o": "insufficient_funds", **people}
    notice = of_campaign(
        AlertCause("1", AlertKind.ORDERING, "insufficient_funds"),
        CampaignSnapshot("1", fields, 0),
        since_ms=1795366801000,
        now_ms=1795366821000,
        over=False,
    )
    shown_there = json.loads(code_block("json"))
    assert shown_there == notice.document
    named = set(re.findall(r"`([a-z_]+)`", section("A real campaign").split("| member |")[1]))
    assert set(shown_there["data"]) <= named


def test_every_invariant_names_a_test() -> None:
    numbered = re.split(
        r"^\d\. ",
        section("What always holds, and the tests that try to break it"),
        flags=re.MULTILINE,
    )
    assert len(numbered) == 10
    assert all("`test_" in invariant for invariant in numbered[1:])


def test_the_log_events_are_those_of_the_code() -> None:
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", section("Logs")))
    assert named == set(log_events())


def test_every_folder_of_the_layout_exists() -> None:
    folders = re.findall(r"^\s*([a-z_/]+)/(?= )", section("Layout"), re.MULTILINE)
    assert set(OURS) <= set(folders)
    assert all((ROOT / folder).is_dir() for folder in folders)
