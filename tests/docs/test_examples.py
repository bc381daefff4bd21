"""The examples of all documents work: campaigns, lists of people, JSON, Python."""

import ast
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.campaign import Campaign
from pipeline.intake.campaign_file import campaign_from_dict
from tests.docs.documents import Document, documents
from tests.docs.validation import validate

PEOPLE = "id,email,phone,name\np-001,zoe@example.com,+15550100200,Zoë\n"
REST_OF_A_CAMPAIGN: dict[str, Any] = {
    "id": "example",
    "name": "Example",
    "reward": {"product_id": "CVS", "value": "10.00"},
    "delivery": {"channels": ["email"]},
    "email": {"subject": "Reward", "text": "{{ link }}"},
    "sms": {"body": "{{ link }}"},
    "webhook": {"body": "Reward"},
}


def keys(text: str) -> set[str]:
    """Return the first level of keys; none where it is not TOML, which a test tells."""
    try:
        return set(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return set()


def is_whole(text: str) -> bool:
    return {"id", "reward", "delivery"} <= keys(text)


def is_part(text: str) -> bool:
    return not is_whole(text) and keys(text) <= set(Campaign.model_fields)


def blocks(*languages: str) -> list[tuple[Document, str]]:
    return [(page, text) for page in documents() for text in page.code(*languages)]


def named(found: list[tuple[Document, str]]) -> list[Any]:
    """Return *found* as parameters; a text that two pages share is tried once."""
    texts = {text: str(page.path) for page, text in reversed(found)}
    return [
        pytest.param(page, text, id=texts[text])
        for page, text in found
        if texts[text] == str(page.path)
    ]


# Its mistakes are part of it; test_tutorial walks through it and mends them.
TUTORIAL = Path("docs/tutorial.md")
WHOLE = [(page, text) for page, text in blocks("toml") if is_whole(text) and page.path != TUTORIAL]
PARTS = [(page, text) for page, text in blocks("toml") if is_part(text)]


def test_there_are_examples() -> None:
    assert WHOLE
    assert blocks("json")
    assert blocks("python")


@pytest.mark.parametrize(("page", "text"), named(blocks("toml")))
def test_an_example_of_toml_is_toml(page: Document, text: str) -> None:
    tomllib.loads(text)


@pytest.mark.parametrize(("page", "text"), named(WHOLE))
def test_an_example_campaign_is_valid_with_the_people_of_its_page(
    page: Document, text: str, tmp_path: Path
) -> None:
    done = validate(tmp_path, text, [*page.code("csv"), PEOPLE][0])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("page", "text"), named(PARTS))
def test_an_example_of_a_part_of_a_campaign_is_valid(page: Document, text: str) -> None:
    part = tomllib.loads(text)
    for file_key, key in (("text_file", "text"), ("html_file", "html")):
        if part.get("email", {}).pop(file_key, None):  # files are not for those who send jobs
            part["email"][key] = "{{ link }}"
    whole = {
        key: {**REST_OF_A_CAMPAIGN.get(key, {}), **part[key]}
        if isinstance(part.get(key), dict)
        else part.get(key, REST_OF_A_CAMPAIGN.get(key))
        for key in {**REST_OF_A_CAMPAIGN, **part}
    }
    _, problems = campaign_from_dict(whole)
    assert problems == []


@pytest.mark.parametrize(("page", "text"), named(blocks("json", "jsonl")))
def test_an_example_of_json_is_one_document_or_one_a_line(page: Document, text: str) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        assert all(isinstance(json.loads(line), dict) for line in text.splitlines())


@pytest.mark.parametrize(("page", "text"), named(blocks("python")))
def test_an_example_of_python_is_python(page: Document, text: str) -> None:
    ast.parse(text)
