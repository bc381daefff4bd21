"""The README is short, and leads to everything else."""

import tomllib

from tests.docs.documents import document
from tests.docs.links import links
from tests.support.root import ROOT

README = document("README.md")


def test_it_is_read_in_five_minutes() -> None:
    assert len(README.text.splitlines()) < 150
    assert len(README.text.encode()) < 10_000


def test_it_shows_one_campaign_of_twelve_lines_and_its_people() -> None:
    (campaign,) = README.code("toml")
    (people,) = README.code("csv")
    assert len(campaign.splitlines()) <= 12
    columns = set(people.splitlines()[0].split(","))
    text = tomllib.loads(campaign)["email"]["text"]
    assert all(f"{{{{ {name} }}}}" in text for name in columns - {"id", "email"})


def test_it_leads_to_every_door() -> None:
    doors = {
        "docs/index.md",
        "docs/tutorial.md",
        "docs/concepts.md",
        "docs/operate/runbook.md",
        "docs/integrate/arq.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    }
    assert doors <= {link.partition("#")[0] for link in links(README)}


def test_it_names_the_whole_story_of_a_campaign_in_its_order() -> None:
    first_words = [words[0] for words in README.command_lines]
    story = ["doctor", "validate", "test-send", "run", "status", "recipient", "report", "verify"]
    assert [word for word in first_words if word in story][: len(story)] == story


def test_the_demonstration_is_a_target_of_make() -> None:
    assert "\ndemo:" in (ROOT / "Makefile").read_text("utf-8")
    assert "make demo\n" in README.code("sh")
