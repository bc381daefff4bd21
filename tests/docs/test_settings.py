"""What the page of settings says of their writing holds, and the example file agrees with it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from config.fields import _UNITS, parse_duration
from config.settings import Settings, load_settings
from config.variables import variables
from pipeline.domain.rate import Rate
from tests.docs.documents import document
from tests.support.root import ROOT

PAGE = document("docs/operate/settings.md")
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
DEFAULTS = {variable.name: variable.default for variable in variables(Settings)}


def row(kind: str) -> str:
    [found] = re.findall(rf"^\| {kind} \| (.*) \|$", PAGE.text, re.MULTILINE)
    return str(found)


def test_lengths_and_their_units_are_read() -> None:
    shown = re.findall(r"`([^`]+)`", row("length"))
    units = [word for word in shown if word.isalpha()]
    assert set(units) == set(_UNITS) - {""}
    lengths = [parse_duration(word) for word in shown if not word.isalpha()]
    assert lengths == [
        timedelta(seconds=30),
        timedelta(minutes=15),
        timedelta(hours=6),
        timedelta(days=90),
    ]


def test_rates_are_read() -> None:
    shown = [word for word in re.findall(r"`([^`]+)`", row("rate")) if len(word) > 1]
    assert [str(Rate.parse(word)) for word in shown] == shown


def test_a_dotenv_file_is_read_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\n"
        'export CLAIMCAST_SMTP__HOST="mail.example.com"\n'
        "claimcast_smtp__sender=Rewards <rewards@example.com>\n"
        "CLAIMCAST_SMTP__USERNAME=us$er\n"
        "CLAIMCAST_SMTP__PASSWORD='a${SOMETHING}b'\n"
        "CLAIMCAST_SMTP__PORT=\n"
        "CLAIMCAST_SMTP__CONNECTIONS=3\n"
        "OTHERS=1\n",
        "utf-8",
    )
    monkeypatch.setenv("SOMETHING", "-else-")
    monkeypatch.setenv("CLAIMCAST_SMTP__CONNECTIONS", "7")
    smtp = load_settings(file).smtp
    assert smtp is not None
    assert smtp.password is not None
    assert (smtp.host, smtp.port, smtp.connections) == ("mail.example.com", 587, 7)
    assert (smtp.username, smtp.password.get_secret_value()) == ("us$er", "a-else-b")


def test_the_example_file_shows_the_defaults() -> None:
    """What is commented out there has the value that holds without it, where there is one."""
    offered = dict(re.findall(r"^#(CLAIMCAST_\w+)=(.*)$", EXAMPLE, re.MULTILINE))
    shown = {name: text for name, text in offered.items() if DEFAULTS[name] is not None}
    assert len(shown) > 3
    assert shown == {name: str(DEFAULTS[name]) for name in shown}


def test_the_example_file_leads_to_the_page() -> None:
    assert "docs/operate/settings.md" in EXAMPLE
