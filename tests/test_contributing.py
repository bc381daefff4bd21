"""CONTRIBUTING and CHANGELOG name what there is: make targets, rooms of the code, versions."""

import re
import tomllib

from tests.docs.documents import documents
from tests.support.root import ROOT
from worker.cli import main

CONTRIBUTING, CHANGELOG, SECURITY, MAKEFILE = (
    (ROOT / name).read_text("utf-8")
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "Makefile")
)
HEADINGS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""Those of Keep a Changelog."""


def test_the_pages_are_read_with_all_others() -> None:
    read = {each.path.as_posix() for each in documents()}
    assert {"CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"} <= read


def test_every_target_of_make_is_told_and_no_other() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, re.MULTILINE))
    assert len(targets) > 8
    assert set(re.findall(r"`make ([\w-]+)`", CONTRIBUTING)) == targets


def test_every_step_names_a_file_or_a_folder() -> None:
    steps = re.findall(r"^\d\. (.*\n(?:   .*\n)*)", CONTRIBUTING, re.MULTILINE)
    assert len(steps) > 20
    named = re.findall(r"`([\w./]+/[\w./]*)`", CONTRIBUTING)
    assert len(named) > 50
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_a_name_in_a_file_is_there() -> None:
    places = {
        "ADDRESS_FIELD": "pipeline/domain/models.py",
        "LimitSettings": "config/settings.py",
        "Searchable": "pipeline/domain/ports.py",
        "_DURABLE": "pipeline/store/scripts.py",
        "OURS": "pipeline/domain/stored_format.py",
        "_RULES": "channels/email/replies.py",
        "_refused": "channels/email/connection.py",
        "Harness": "tests/channels/test_contract.py",
    }
    for name, path in places.items():
        assert f"`{name}" in CONTRIBUTING
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text("utf-8")), f"{name} in {path}"


def test_what_is_not_released_comes_first_and_todays_version_is_there() -> None:
    versions = re.findall(r"^## \[(.*?)\](?: - (\S+))?$", CHANGELOG, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    dates = [date for _, date in versions[1:]]
    assert dates == sorted(dates, reverse=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", date) for date in dates)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == versions[1][0]


def test_changes_stand_under_the_headings_of_the_form() -> None:
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= HEADINGS


def test_every_command_was_added_at_some_time() -> None:
    assert set(main.lazy_subcommands) <= set(re.findall(r"[a-z-]+", CHANGELOG))


def test_no_address_is_given_for_what_is_to_be_reported() -> None:
    assert "Report a vulnerability" in SECURITY
    assert not re.search(r"\S@\S", SECURITY)
