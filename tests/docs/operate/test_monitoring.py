"""What the documents say of logs and alerts is so: every event, and the post that is shown."""

import ast
import json
import re
from collections.abc import Iterator

from pipeline.alerting.messages import campaign_notice
from pipeline.store.formats.alert_records import AlertCause, AlertKind
from pipeline.store.formats.snapshot import CampaignSnapshot
from tests.docs.documents import document, documents
from tests.support.root import ROOT

OURS = ["worker", "pipeline", "channels", "config", "sandbox"]
LEVELS = {"info", "warning", "error", "exception"}
METRIC = re.compile(r"\bclaimcast_[a-z_]+[a-z]\b")
ROW_OF_NAMES = re.compile(r"^\| ((?:`[a-z_.]+`(?:, )?)+) \|", re.MULTILINE)
"""The first cell of a row, where nothing but names stands in it."""


def first_cells(text: str) -> list[str]:
    """Return every name in the first column of the tables of *text*."""
    return [name for cell in ROW_OF_NAMES.findall(text) for name in re.findall(r"`(.+?)`", cell)]


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


def test_the_log_events_are_those_of_the_code() -> None:
    logs = document("docs/operate/monitoring.md").text.split("\n## Logs\n")[1]
    named = first_cells(logs)
    assert len(named) == len(set(named))
    assert set(named) == set(log_events())


def test_every_metric_that_is_named_stands_in_the_table() -> None:
    metrics, _ = document("docs/operate/monitoring.md").text.split("\n## Logs\n")
    table = first_cells(metrics.split("\n## Metrics\n")[1])
    named = {name for page in documents() for name in METRIC.findall(page.text)}
    assert len(named) > 20
    assert named <= set(table)


def test_the_alert_that_is_shown_is_what_is_posted() -> None:
    people = {"p:reached": "400", "p:open": "600"}
    fields = {"id": "survey-2026-11", "n": "1000", "blk:o": "insufficient_funds", **people}
    notice = campaign_notice(
        AlertCause("1", AlertKind.ORDERING, "insufficient_funds"),
        CampaignSnapshot("1", fields, 0),
        since_ms=1795366801000,
        now_ms=1795366821000,
        over=False,
    )
    page = document("docs/operate/alerts.md")
    [shown] = page.code("json")
    assert json.loads(shown) == notice.document
    members = first_cells(page.text.split("| member |")[1])
    assert set(members) == (set(notice.document) | set(notice.document["data"])) - {"data"}
