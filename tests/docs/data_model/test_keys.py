"""Every key and every purpose of the program stands in the page, and nothing that is not there."""

import inspect

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName
from pipeline.store import keys
from tests.docs.data_model.dictionary.all_keys import KEYS
from tests.docs.data_model.dictionary.entries import Key
from tests.docs.data_model.dictionary.purposes import DIGESTS, SEALS
from tests.docs.data_model.tables import keys_markdown
from tests.support.root import ROOT

_NO_KEYS = {
    # Patterns, sizes and names of other things.
    *("ALL_KEYS", "CLEAR_HASHES", "SUPPRESSED_KEYS", "campaign_keys"),
    *("LINK_BUCKETS", "SUPPRESSION_BUCKETS", "campaign_limiter", "due_index"),
}
_SAMPLES: dict[str, object] = {
    "serial": "17",
    "batch": 5,
    "bucket": 9,
    "version": 2,
    "lane": Lane.SEND,
    "channel": ChannelName.SMS,
    "name": "17:sms",
    "account": "a1b2c3d4e5f60718",
    "worker": "host-1-aabbcc",
}


def _of_ours() -> set[str]:
    """Return the public names that keys.py itself defines."""
    tree = inspect.getsource(keys)
    defined = {name for name in vars(keys) if f"\ndef {name}(" in tree or f"\n{name}: " in tree}
    assert len(defined) > 50, defined
    return defined


def test_every_name_of_keys_py_is_a_key_or_a_purpose_here() -> None:
    documented = [each.name for each in KEYS] + [each.name for each in (*SEALS, *DIGESTS)]
    assert len(documented) == len(set(documented))
    assert _of_ours() - _NO_KEYS == set(documented)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_a_key_looks_as_it_is_documented(key: Key) -> None:
    made = getattr(keys, key.name)
    if callable(made):
        made = made(*(_SAMPLES[name] for name in inspect.signature(made).parameters))
    assert [each.name for each in KEYS if each.expression.fullmatch(made)] == [key.name]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_a_hash_that_holds_something_sealed_is_resealed(key: Key) -> None:
    made = getattr(keys, key.name)
    if callable(made):
        made = made(*(_SAMPLES[name] for name in inspect.signature(made).parameters))
    if key.kind == "hash" and key.sealed != "clear":
        assert not keys.CLEAR_HASHES.fullmatch(made.encode())


def test_the_page_has_every_key_and_every_purpose() -> None:
    page = (ROOT / "docs" / "internals" / "data-model.md").read_text("utf-8")
    assert keys_markdown() in page
    for each in (*SEALS, *DIGESTS):
        assert f"| `{each.text}` | `{each.name}` |" in page
