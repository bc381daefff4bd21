"""A code is explained to whoever meets it, with nothing else at hand."""

import json

import pytest
from click.testing import CliRunner, Result

from pipeline.domain.codes import REASONS
from pipeline.domain.codes.table import listed
from worker.cli import main


def explained(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["explain", *words])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(autouse=True)
def _settings_that_nobody_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", "unix:///nowhere.sock")
    monkeypatch.setenv("CLAIMCAST_BATCH_SIZE", "none")


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_code_is_explained_with_what_a_person_does(code: str) -> None:
    found = json.loads(explained(code, "--json").stdout)
    reason = REASONS[code]
    assert found == {
        "code": code,
        "kind": reason.kind,
        "meaning": reason.meaning,
        "by_itself": reason.by_itself,
        "action": reason.remedy("CAMPAIGN"),
    }
    assert "{campaign}" not in found["action"]


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("smtp_550_5.1.1", "there is no such mailbox"),
        ("SMTP_452_4.2.2", "the mailbox is full"),
        ("twilio_30003", "the phone could not be reached for now"),
        ("twilio_99999", "Twilio refused it with a code that is not known here"),
        ("webhook_503", "the app could not take the message for now"),
        ("bounce_5.1.1", "a delivery status notification says"),
    ],
)
def test_a_code_of_a_provider_is_understood(code: str, meaning: str) -> None:
    printed = " ".join(explained(code).stdout.split())
    assert printed.startswith(f"code {code.lower()} (")
    assert meaning in printed
    assert "what you do" in printed


def test_an_unknown_code_is_reported_with_the_nearest() -> None:
    assert explained("links_shrt", code=2).stderr == (
        'Error: There is no code "links_shrt"; the nearest are links_short, links_missing, '
        "links_many (`claimcast explain` lists all).\n"
    )
    assert "did you mean credentials?" in explained("credential", code=2).stderr
    assert "none is like it" in explained("%%%", code=2).stderr


def test_without_a_code_all_are_listed() -> None:
    found = json.loads(explained("--json").stdout)
    assert [entry["code"] for entry in found] == [code for code, _ in listed()]
    printed = explained().stdout
    assert all(code in printed for code in REASONS)
