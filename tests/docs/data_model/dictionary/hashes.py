"""Which hash has which fields."""

from collections.abc import Mapping, Sequence

from tests.docs.data_model.dictionary import other_fields as others
from tests.docs.data_model.dictionary.batch_fields import BATCH
from tests.docs.data_model.dictionary.campaign_fields import CAMPAIGN
from tests.docs.data_model.dictionary.entries import Field

FIELDS: Mapping[str, Sequence[Field]] = {
    "batch_key": BATCH,
    "campaign_key": CAMPAIGN,
    "ledger_key": others.LEDGER,
    "earlier_key": others.LEDGER,
    "resends_key": others.RESENDS,
    "lookup_key": others.LOOKUP,
    "IDS": others.IDS,
    "STAGING": others.STAGING,
    "KEYRING": others.KEYRING,
    "LIVE_PROCESSES": others.LIVE_PROCESSES,
    "links_index_key": others.LINKS,
    "suppressed_key": others.SUPPRESSED,
    "LIMITS": others.LIMITS,
    "limiter_key": others.LIMITER,
    "breaker_key": others.BREAKER,
    "ALERTS": others.ALERTS,
    "LEASES": others.LEASES,
    "STATS": others.STATS,
}
"""By the name that the key has in `pipeline/store/keys.py`."""


def field_of(key: str, name: str) -> Field | None:
    """Return the entry of a field that was found; those that are spelled out go first."""
    known = FIELDS.get(key, ())
    exact = [each for each in known if each.name == name]
    return next(iter([*exact, *(e for e in known if e.expression.fullmatch(name))]), None)
