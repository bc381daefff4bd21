"""Every field that Lua or Python touches stands in the page, and who touches it is right."""

import pytest

from pipeline.store.codec import COUNTER_FIELD
from tests.docs.data_model import reading
from tests.docs.data_model.dictionary.all_keys import KEYS
from tests.docs.data_model.dictionary.batch_fields import BATCH
from tests.docs.data_model.dictionary.campaign_fields import CAMPAIGN
from tests.docs.data_model.dictionary.entries import Field
from tests.docs.data_model.dictionary.hashes import FIELDS, field_of
from tests.docs.data_model.lua_calls import VERBS, accesses, entry
from tests.docs.data_model.tables import doing, python_users

_READ_BY_NOBODY = {"polls:at", "fails:at"}
"""For a person who looks."""
_CHANGED_ONLY = {"fence"}
"""Its new value is what the command that raises it returns."""
HASHES = {key.name for key in KEYS if key.kind == "hash"}


def test_every_hash_has_its_fields_here_and_nothing_else_has() -> None:
    assert FIELDS.keys() == HASHES


def test_every_field_that_a_lua_file_touches_is_documented() -> None:
    touched = [each for each in accesses() if each.field]
    assert len({each.file for each in touched}) > 40
    assert [each for each in touched if entry(each.key, each.field) is None] == []


def test_every_verb_touches_a_key_that_is_documented() -> None:
    known = {key.name for key in KEYS}
    files = {each.file for each in accesses() if each.key in known}
    # These do what a file of the library does, or replace what they are told to.
    assert VERBS.keys() - files == {"unblock", "reseal"}
    assert {each.key for each in accesses()} <= known


@pytest.mark.parametrize("key", ["batch_key", "campaign_key", "limiter_key", "breaker_key"])
def test_every_field_is_set_and_read_by_somebody(key: str) -> None:
    for field in FIELDS[key]:
        assert doing(key, field, "sets") or field.python, f"who sets {field.name}?"
        read = doing(key, field, "reads") or field.value or python_users(key)
        assert read, f"who reads {field.name}?"


def test_what_nobody_reads_is_said_to_be_so() -> None:
    unread = {
        field.name for field in BATCH if not doing("batch_key", field, "reads") and not field.value
    }
    assert unread - _CHANGED_ONLY - {"wake", "deaths"} == _READ_BY_NOBODY
    for field in BATCH:
        assert ("No program reads it" in field.means) == (field.name in _READ_BY_NOBODY)


@pytest.mark.parametrize("field", [f for f in BATCH if f.value], ids=lambda field: field.name)
def test_a_field_of_a_batch_is_read_as_what_the_page_says(field: Field) -> None:
    with_it = reading.batch_of({field.name: field.sample})
    without = reading.batch_of({})
    assert reading.value_of(with_it, field.value) != reading.value_of(without, field.value)


@pytest.mark.parametrize("field", [f for f in CAMPAIGN if f.value], ids=lambda field: field.name)
def test_a_field_of_a_campaign_is_read_as_what_the_page_says(field: Field) -> None:
    with_it = reading.campaign_of({field.example or field.name: field.sample})
    without = reading.campaign_of({})
    assert reading.value_of(with_it, field.value) != reading.value_of(without, field.value)


def test_every_field_that_python_asks_for_is_documented() -> None:
    batch, campaign = reading.fields_of_a_batch(), reading.fields_of_a_campaign()
    assert {"st", "odd:at", "gone"} <= batch
    assert {"fin", "d:sent", "blk:o:until", "purging:to", "n:reordered"} <= campaign
    assert {name for name in batch if field_of("batch_key", name) is None} == set()
    assert {name for name in campaign if field_of("campaign_key", name) is None} == set()
    counted = set(filter(None, COUNTER_FIELD.values()))
    assert counted | {f"{name}:at" for name in counted} <= {field.name for field in BATCH}


def test_a_field_that_python_reads_has_its_attribute_here() -> None:
    asked = reading.fields_of_a_batch()
    assert asked == {field.name for field in BATCH if field.value}
