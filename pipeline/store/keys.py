"""
Every key that claimcast has in Redis, and every purpose that something is sealed or digested for.

The Lua verbs build the same keys in `lua/lib`; a test compares the two. What lies under each key,
which fields it has and who writes them, docs/internals/data-model.md says. `arq` keeps its jobs
under keys of its own (`arq:job:…`), which nobody here touches.
"""

import re
from typing import Final

from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName
from pipeline.store.codec import LANE_LETTER

# The installation ------------------------------------------------------------------------------

ALL_KEYS: Final = "cc:*"
"""A pattern for SCAN: everything but what arq keeps."""

CLEAR_HASHES: Final = re.compile(
    rb"cc:(?:\d+|\d+:(?:b|d|x|due):.*|(?:links|suppressed|gcra|breaker):.*"
    rb"|ids|staging|limits|stats|keys:live)"
)
"""
The hashes that hold nothing sealed.

A rotation of keys reads every other hash, so that a kind of blob that nobody thought of costs
time, and is not left behind.
"""

KEYRING: Final = "cc:keys"
"""Hash: the sealed digest key, and the rings of keys that processes ever had."""
LIVE_PROCESSES: Final = "cc:keys:live"
"""Hash: the living processes, each with its ring and the time of its last sign of life."""
AUDIT: Final = "cc:audit"
"""List: the audit trail, oldest entry first."""
AUDIT_COUNT: Final = "cc:audit:count"
"""How many entries were ever appended, so that those taken from the end are missed."""
LIMITS: Final = "cc:limits"
"""Hash: the rates that were set at run time, by the name of their limiter."""
STATS: Final = "cc:stats"
"""Hash: what all workers ever counted, for the metrics."""
ALERTS: Final = "cc:alerts"
"""Hash: the alerts that are raised, and since when."""
ALERTS_CHECKED: Final = "cc:alerts:turn"
"""Exists while the last check of the alerts is recent enough for the whole fleet."""
LINK_BUCKETS: Final = 4096
"""2.4 links each at 10,000 links, 244 at a million: listpacks at both."""
SUPPRESSION_BUCKETS: Final = 1024


def links_index_key(bucket: int) -> str:
    """Hash: digest of a link to the batch that owns it, for all links that ever came."""
    return f"cc:links:{bucket}"


def suppressed_key(bucket: int) -> str:
    """Hash: digest of an address that nobody may write to, and why."""
    return f"cc:suppressed:{bucket}"


SUPPRESSED_KEYS: Final = "cc:suppressed:*"
"""A pattern for SCAN: all parts of the suppression list."""


def limiter_key(name: str) -> str:
    """Hash: what a rate limiter has given ahead of time, and until when its cooldown lasts."""
    return f"cc:gcra:{name}"


def campaign_limiter(serial: str, channel: ChannelName) -> str:
    """Return the name of the limiter of one campaign's channel."""
    return f"{serial}:{channel}"


def breaker_key(channel: str) -> str:
    """Hash: the failures of a provider in a row; absent since its last success."""
    return f"cc:breaker:{channel}"


def token_key(account: str) -> str:
    """The sealed token that the whole fleet calls the rewards API with."""
    return f"cc:rewards:{account}:token"


def token_lock_key(account: str) -> str:
    """Exists while a worker fetches a new token, or while nobody may ask for one."""
    return f"cc:rewards:{account}:token-lock"


def token_refusals_key(account: str) -> str:
    """Counter: how many tokens were refused in a row."""
    return f"cc:rewards:{account}:token-refusals"


def products_key(account: str) -> str:
    """The products that an account may order, as the rewards API listed them."""
    return f"cc:rewards:{account}:products"


# The fleet -------------------------------------------------------------------------------------

WORKERS: Final = "cc:workers"
"""Sorted set: workers by their last heartbeat, in seconds of the server's clock."""
LEASES: Final = "cc:leases"
"""Hash: how many leases each worker says it has."""
QUARANTINE: Final = "cc:alone"
"""The worker in quarantine: it alone runs the poison batches, those that workers died of."""
PURGER: Final = "cc:purger"
"""The worker that purges campaigns which ended long ago; no other does meanwhile."""
SUBMIT_QUEUE: Final = "claimcast"
"""arq's queue that other systems submit campaigns to."""


def worker_queue_key(worker: str) -> str:
    """The queue that arq has for one worker."""
    return f"claimcast:worker:{worker}"


def worker_health_key(worker: str) -> str:
    """What arq says of the health of one worker."""
    return f"claimcast:worker:{worker}:health"


# All campaigns ---------------------------------------------------------------------------------

IDS: Final = "cc:ids"
"""Hash: the id of every committed campaign to its serial."""
SERIAL: Final = "cc:serial"
"""Counter: the last serial that was given to a campaign."""
STAGING: Final = "cc:staging"
"""Hash: campaigns that are being submitted, each with its serial, nonce and when it lapses."""
DISCARDED: Final = "cc:discarded"
"""Set: serials whose keys are to be deleted."""
ACTIVE: Final = "cc:active"
"""Sorted set: serials with unfinished work, the one that waited longest first."""
SERVED: Final = "cc:turn"
"""Counter: each served campaign gets the next number as its score in `ACTIVE`."""

# One campaign ----------------------------------------------------------------------------------


def campaign_key(serial: str) -> str:
    """Hash: flags and counters of a campaign."""
    return f"cc:{serial}"


def campaign_keys(serial: str) -> str:
    """Return a pattern for SCAN: all keys of a campaign but `campaign_key`."""
    return f"cc:{serial}:*"


def definition_key(serial: str) -> str:
    """The sealed definition that counts now."""
    return f"cc:{serial}:def"


def earlier_definition_key(serial: str, version: int | str) -> str:
    """The sealed definition that an edit replaced."""
    return f"cc:{serial}:def:{version}"


def lookup_key(serial: str, bucket: int) -> str:
    """Hash: digest of a recipient's id to their place in the campaign."""
    return f"cc:{serial}:x:{bucket}"


def due_index(lane: Lane) -> str:
    """Return what names the due index of a lane among those of a campaign."""
    return LANE_LETTER[lane]


def due_key(serial: str, lane: Lane) -> str:
    """Sorted set: unfinished batches by when a worker must look at them, in ms."""
    return f"cc:{serial}:due:{due_index(lane)}"


def begun_key(serial: str) -> str:
    """Set: batches that a worker has begun; when due, they are dispatched first."""
    return f"cc:{serial}:begun"


# One batch -------------------------------------------------------------------------------------


def batch_key(serial: str, batch: int) -> str:
    """Hash: state, order and lease of a batch."""
    return f"cc:{serial}:b:{batch}"


def ledger_key(serial: str, batch: int) -> str:
    """Hash: index of a recipient to their deliveries."""
    return f"cc:{serial}:d:{batch}"


def earlier_key(serial: str, batch: int) -> str:
    """Hash: index to the deliveries that a resend replaced, as they stood then."""
    return f"cc:{serial}:g:{batch}"


def resends_key(serial: str, batch: int) -> str:
    """Hash: index to the sealed resends of a recipient."""
    return f"cc:{serial}:a:{batch}"


def recipients_key(serial: str, batch: int) -> str:
    """The sealed recipients of a batch."""
    return f"cc:{serial}:r:{batch}"


def links_key(serial: str, batch: int) -> str:
    """The sealed links of a batch, in its recipients' order."""
    return f"cc:{serial}:k:{batch}"


def evidence_key(serial: str, batch: int) -> str:
    """The sealed answer of the rewards API that a batch is held for."""
    return f"cc:{serial}:raw:{batch}"


# What is sealed, and for what: a blob opens for its own purpose only ----------------------------

DIGEST_KEY_PURPOSE: Final = "digest key"
TOKEN_PURPOSE: Final = "rewards token"  # noqa: S105 - a purpose, not a token


def definition_purpose(serial: str) -> str:
    return f"definition:{serial}"


def recipients_purpose(serial: str, batch: int) -> str:
    """Return the purpose of the blob at `recipients_key`; "rows" is what it is stored as."""
    return f"rows:{serial}:{batch}"


def links_purpose(serial: str, batch: int) -> str:
    return f"links:{serial}:{batch}"


def evidence_purpose(serial: str, batch: int) -> str:
    """Return the purpose of the raw answer at `evidence_key`."""
    return f"raw:{serial}:{batch}"


def resends_purpose(serial: str, person: str) -> str:
    """
    Return the purpose of one person's resends, a field of `resends_key`.

    *person* is a digest: errors name the purpose, and an id may be an address.
    """
    return f"generations:{serial}:{person}"


# What is digested with the key of the installation, and for what --------------------------------

RECIPIENT_DIGEST: Final = "recipient"
LINK_DIGEST: Final = "link"
LINK_REFERENCE_DIGEST: Final = "link-ref"
SUPPRESSION_DIGEST: Final = "suppression"
AUDIT_PERSON_DIGEST: Final = "audit"
AUDIT_CHAIN_DIGEST: Final = "audit-chain"


def signed_token_digest(purpose: str) -> str:
    """Return what a signed token (an unsubscribe link, a bounce address) is authenticated for."""
    return f"token-{purpose}"
