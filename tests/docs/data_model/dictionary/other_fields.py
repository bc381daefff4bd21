"""The fields of the hashes that belong to the whole installation, and of those beside a batch."""

from tests.docs.data_model.dictionary.entries import Field

_ALWAYS = "never, once made"

LEDGER = (
    Field(
        name="<index>",
        kind="records, joined by `;`",
        means="The deliveries of that recipient (counted from 0), one record per channel: see "
        '"The record of a delivery".',
        absent="nothing was tried yet",
    ),
)
RESENDS = (
    Field(
        name="<index>",
        kind="sealed JSON",
        means="`[[channel letter, resend number, address, ms since 1970], …]`, oldest first.",
        absent="nothing was sent to them again, or they were erased",
    ),
)
LOOKUP = (
    Field(
        name="<digest>",
        kind="number",
        means="9 raw bytes that stand for a recipient's id: their position in the campaign, from "
        "0.",
        absent="there is no such id",
    ),
)
LINKS = (
    Field(
        name="<digest>",
        kind="`<serial>:<batch>`",
        means="10 raw bytes that stand for a link: the batch that it came for. It stays when "
        "people are erased or purged, so that the link is never taken for somebody else's.",
        absent="the link never came",
    ),
)
SUPPRESSED = (
    Field(
        name="<digest>",
        kind="code or word",
        means="10 raw bytes that stand for channel and address: why nobody may write there.",
        absent="the address is not suppressed",
    ),
)
IDS = (
    Field(
        name="<campaign id>",
        kind="number",
        means="The serial of that campaign.",
        absent="not committed",
    ),
)
STAGING = (
    Field(
        name="<campaign id>",
        kind="`<serial> <nonce> <ms since 1970>`",
        means="Its serial, which submit is at it, and when that one is taken for dead.",
        absent="nobody submits it",
    ),
)
LIMITS = (
    Field(
        name="<limiter>",
        kind="`<µs between permits>|<rate as it was given>`",
        means="A rate that an operator set; `claimcast limits unset` removes it.",
        absent="the settings say what it is",
    ),
)
STATS = (
    Field(
        name="<family>|<labels>",
        kind="number, or seconds with a fraction",
        means="What all workers ever counted, e.g. `attempts|email|sent`.",
        absent="it never happened",
    ),
)
LEASES = (
    Field(
        name="<worker>",
        kind="number",
        means="How many leases that worker holds.",
        absent="it left, or was silent for a minute",
    ),
)
ALERTS = (
    Field(
        name="<target>|<subject>|<kind>|<code>",
        kind="`<ms since 1970> <phase> <ms since 1970> <tries>`",
        means="An alert. Target: `url` or `email`. Subject: a serial, or a channel. Kind: `o`, "
        "`r`, `s` (a blocked lane), `held` or `channel`. The value: when it was written, the "
        "phase (`seen`, `telling`, `untold`, `told`, `calming`, `ending`, `unended`), when it was "
        "seen first, how often telling it failed.",
        absent="there is nothing to tell",
    ),
)
KEYRING = (
    Field(
        name="digest",
        kind="sealed, 32 bytes",
        means="The digest key, random, made once. Every digest here depends on it.",
        absent=_ALWAYS,
    ),
    Field(
        name="ring:<fingerprints>",
        kind="ms since 1970",
        means="A ring of keys that some process had (fingerprints of 8 hex digits, joined by `,`; "
        "the first one seals), and when it was seen first. `claimcast rekey` removes those that "
        "nothing is sealed with any more.",
        absent="no process ever had it",
    ),
    Field(
        name="format",
        kind="number",
        means="The stored format: see below.",
        absent="data from before there was a mark; that is format 1",
    ),
)
LIVE_PROCESSES = (
    Field(
        name="<process>",
        kind="`<fingerprints> <ms since 1970>`",
        means="A process (16 hex digits) that seals: its ring, and when it was heard of last.",
        absent="it left, or was silent for 12 s",
    ),
)
LIMITER = (
    Field(
        name="tat",
        kind="µs since 1970",
        means='"Theoretical arrival time" of GCRA: up to when permits are booked.',
        absent="never asked, or unlimited",
    ),
    Field(
        name="interval",
        kind="µs, with a fraction",
        means="Time between two permits when `tat` was booked. When the rate differs by now, what "
        "was booked ahead counts no longer.",
        absent="with `tat`",
    ),
    Field(
        name="next",
        kind="µs since 1970",
        means="When the next permit can be given, at the earliest; until then `pump` hands "
        "nothing out that needs it. A change of the rate removes it.",
        absent="never asked, unlimited, or the rate was changed",
    ),
    Field(
        name="hush",
        kind="µs since 1970",
        means="Cooldown: until then nobody gets a permit, as the provider asked for it or its "
        "breaker is open.",
        absent="no cooldown since the key was made",
    ),
)
BREAKER = (
    Field(
        name="failures",
        kind="number",
        means="Failures of the provider itself, in a row.",
        absent=_ALWAYS,
    ),
    Field(
        name="reason",
        kind="code",
        means="What the last of them was.",
        absent=_ALWAYS,
    ),
    Field(
        name="until",
        kind="ms since 1970",
        means="The breaker is open until then.",
        absent="too few failures: it is closed",
    ),
)
