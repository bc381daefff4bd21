"""The page of concepts speaks of states, scripts and classes that are there."""

import re
from enum import StrEnum

import pytest

from pipeline.domain import batch, models
from pipeline.domain.models import BatchState, CampaignState, DeliveryStatus
from tests.architecture.test_class_names import classes
from tests.support.root import ROOT

PAGE = (ROOT / "docs" / "concepts.md").read_text("utf-8")
_VERBS = {path.stem for path in (ROOT / "pipeline/store/lua/verbs").rglob("*.lua")}
_NOT_SHOWN = {CampaignState.SUBMITTING, CampaignState.AWAITING_APPROVAL}
"""States that nothing has by now."""


def rows(after: str) -> list[list[str]]:
    """Return the cells of the first table behind the text *after*, without its head."""
    table = re.split(r"\n(?!\|)", PAGE.split(after)[1].split("\n|", 1)[1])[0]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in table.split("\n")][
        2:
    ]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("states", [BatchState, DeliveryStatus])
def test_every_transition_names_states_and_verbs_that_are_there(states: type[StrEnum]) -> None:
    found = rows(f"<!-- states: {states.__name__} -->")
    assert {name for old, _, _, _ in found for name in quoted(old)} <= set(states)
    assert {name for _, new, _, _ in found for name in quoted(new)} == set(states)
    verbs = {name for *_, by in found for name in quoted(by)}
    assert verbs <= _VERBS


def test_every_state_of_a_campaign_is_explained() -> None:
    explained = {quoted(state)[0] for state, _ in rows("The first line that fits holds:")}
    assert explained == set(CampaignState) - _NOT_SHOWN


def test_what_the_glossary_names_in_the_code_is_there() -> None:
    found = [name for _, _, there in rows("## Glossary") for name in quoted(there)]
    assert len(found) > 40
    known = {name for name, _ in classes()}
    for name in found:
        if "/" in name:
            assert (ROOT / name).exists(), name
            continue
        owner, _, member = name.partition(".")
        assert owner in known, name
        if member:
            enum = getattr(models, owner, None) or getattr(batch, owner)
            assert member in enum.__members__, name


def test_the_glossary_is_in_order_and_names_each_word_once() -> None:
    words = [word.lower() for word, _, _ in rows("## Glossary")]
    assert words == sorted(set(words))
