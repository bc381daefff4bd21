"""The page of formats has every member that commands print, and no other."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.audit_trail import AuditAction
from tests.docs.documents import Document, document
from tests.end_to_end.support.world import World, open_world

PAGE = document("docs/integrate/formats.md")
BY_NAME = {"addresses", "reachable", "details"}  # their members are names of channels, or differ
FAULTY = "r9,nobody,Li\n"


def section(title: str) -> Document:
    text = PAGE.text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return Document(Path(title), text)


def members(value: object, name: str = "") -> Iterator[str]:
    """Yield every member with those around it, as the page writes them."""
    if isinstance(value, dict) and value and name not in BY_NAME:
        for key, inner in value.items():
            yield from members(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for item in value:
            yield from members(item, f"{name}[]")
    else:
        yield name


def explained(title: str, head: str = "member") -> list[str]:
    """Return the names in the section's table that begins with the column *head*."""
    table = section(title).text.split(f"\n| {head} |")[1].split("\n\n")[0]
    return [
        name
        for cell in re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", cell)
    ]


def example(title: str) -> Any:  # noqa: ANN401 - JSON
    [text] = section(title).code("json")
    return json.loads(text)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An installation with a finished campaign of three people."""
    with open_world(tmp_path_factory.mktemp("formats")) as found:
        found.run("run", *found.campaign(3), "--yes")
        yield found


def agree(title: str, real: object) -> None:
    """Compare what is explained with what is shown, and both with what is printed."""
    assert len(explained(title)) == len(set(explained(title)))
    assert set(explained(title)) == set(members(example(title))) == set(members(real))


def test_status(here: World) -> None:
    agree("Status", here.status())
    every = json.loads(here.run("status", "--json"))
    assert every == {"campaigns": [here.status()]}


def test_one_person(here: World) -> None:
    agree("One person", json.loads(here.run("recipient", "e2e", "r1", "--json")))


def test_validation(here: World) -> None:
    toml, people = map(Path, here.campaign(2, "validated"))
    toml.write_text(
        toml.read_text().replace('["email"]', '["email", "sms"]') + '[sms]\nbody = "{{ link }}"\n'
    )
    people.write_text(people.read_text() + FAULTY)
    real = here.run(
        *("validate", str(toml), str(people), "--json", "--skip-invalid", "--preview", "1"), code=2
    )
    agree("Validation", json.loads(real))


def test_report(here: World) -> None:
    shown = ("report", "e2e", "--with-links", "--with-addresses", "--yes")
    head, *rows = csv.reader(io.StringIO(here.run(*shown)))
    assert head == explained("Report", "column")
    [text] = section("Report").code("csv")
    assert next(csv.reader(io.StringIO(text))) == head[:-2]
    exact = json.loads(here.run(*shown, "--format", "json"))
    assert [list(row) for row in exact] == [head] * len(rows)


def test_audit(here: World) -> None:
    entries = [json.loads(line) for line in here.run("audit", "e2e").splitlines()]
    [text] = section("Audit trail").code("jsonl")
    shown = [json.loads(line) for line in text.splitlines()]
    for real, there in zip(entries, shown, strict=False):
        assert explained("Audit trail") == list(real) == list(there)
        assert real["action"] == there["action"]
        assert list(real["details"]) == list(there["details"])


def test_every_action_is_there() -> None:
    assert sorted(explained("Audit trail", "action")) == sorted(AuditAction)


def test_a_code(here: World) -> None:
    assert json.loads(here.run("explain", "sms_too_long", "--json")) == example("A code")
    assert explained("A code") == list(example("A code"))
