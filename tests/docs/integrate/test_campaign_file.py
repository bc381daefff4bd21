"""The page of the campaign file has the keys, defaults and filters of the code."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pipeline.domain import campaign, templates
from tests.docs.documents import document
from tests.docs.validation import validate

PAGE = document("docs/integrate/campaign-file.md")
SECTIONS: dict[str, tuple[type[BaseModel], set[str]]] = {
    "At the top": (campaign.Campaign, set()),
    "`[reward]`": (campaign.Reward, set()),
    "`[delivery]`": (campaign.Delivery, set()),
    "`[delivery.window]`": (campaign.Window, set()),
    "`[email]`": (campaign.EmailContent, {"text_file", "html_file"}),
    "`[sms]`": (campaign.SmsContent, set()),
    "`[webhook]`": (campaign.WebhookContent, set()),
    "`[limits]`": (campaign.CampaignLimits, set()),
}
WRONG = """id = "survey-2026-11"
name = "November survey"

[reward]
product_id = "CVS"
value = 10.00

[delivery]
mode = "first"
channels = ["email", "sms"]

[email]
sbject = "Your reward"
text = "Hello {{ name }}"
"""


def rows(title: str) -> dict[str, str]:
    """Return the default of every key in the table below the heading *title*."""
    section = PAGE.text.split(f"\n### {title}\n")[1].split("\n##")[0]
    return dict(re.findall(r"^\| `(\w+)` \|.*\| ?(\S*) \|$", section, re.MULTILINE))


def default(model: type[BaseModel], key: str) -> str:
    field = model.model_fields[key]
    if field.default is PydanticUndefined:
        return "required"
    return "" if field.default is None else f"`{field.default}`"


@pytest.mark.parametrize("title", SECTIONS)
def test_the_table_has_every_key_and_its_default(title: str) -> None:
    model, more = SECTIONS[title]
    sections = {name.strip("`[]") for name in SECTIONS}
    keys = model.model_fields.keys() - (sections if model is campaign.Campaign else set())
    there = rows(title)
    assert there.keys() == keys | more
    assert {key: there[key] for key in keys} == {key: default(model, key) for key in keys}


def test_every_section_is_there() -> None:
    titles = re.findall(r"^### (.+)$", PAGE.text.split("\n## Templates")[0], re.MULTILINE)
    assert titles == list(SECTIONS)


@pytest.mark.parametrize(
    ("kind", "names"),
    [("filters", templates._FILTERS), ("methods", templates._METHODS)],  # noqa: SLF001
)
def test_the_filters_and_methods_are_those_that_work(kind: str, names: tuple[str, ...]) -> None:
    [row] = re.findall(rf"^\| {kind} \|(.*)\|$", PAGE.text, re.MULTILINE)
    assert re.findall(r"`(\w+)`", row) == list(names)


def test_what_is_said_of_mistakes_is_what_is_said(tmp_path: Path) -> None:
    done = validate(tmp_path, WRONG, "id,email,phone,name\n1,zoe@example.com,,Zoë\n")
    [shown] = PAGE.code("text")
    assert done.stdout.startswith(shown)
    assert f"\n{len(shown.splitlines())} problems.\n" in done.stdout
