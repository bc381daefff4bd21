"""The letters of `pipeline/store/codec.py`, each with its word and what it means."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.domain.batch import Lane, WaitCounter
from pipeline.domain.models import ChannelName, DeliveryStatus, FactKind
from pipeline.store.codec import (
    CHANNEL_LETTER,
    COUNTER_FIELD,
    FACT_LETTER,
    LANE_LETTER,
    STATUS,
)

LANES = {
    Lane.ORDER: "`planned`: it is to be ordered.",
    Lane.READ: "`ordered`: the order is to be read. Also `held` as `order_overdue`: it is read "
    "on.",
    Lane.SEND: "`fulfilled`: its links are here, and somebody is to be written to.",
    Lane.HELD: "`held`: nobody looks at it by itself.",
}
CHANNELS = {
    ChannelName.EMAIL: "E-mail over SMTP.",
    ChannelName.SMS: "SMS over Twilio.",
    ChannelName.WEBHOOK: "A post to the customer's own application.",
}
STATUSES = {
    DeliveryStatus.PENDING: "To be sent, now or later.",
    DeliveryStatus.SENDING: "In flight: an intent is recorded, and no result yet.",
    DeliveryStatus.UNCERTAIN: "It may have arrived. `lib/unsettled` says whether it is sent again "
    "by itself or waits for a person: by channel, code and the campaign's `resend`.",
    DeliveryStatus.SENT: "The provider took it.",
    DeliveryStatus.DELIVERED: "The provider says that it arrived.",
    DeliveryStatus.BOUNCED: "Taken, and came back.",
    DeliveryStatus.FAILED: "Not taken, for good.",
    DeliveryStatus.SUPPRESSED: "Not sent: the address is on the suppression list.",
    DeliveryStatus.SKIPPED: "Not to be sent any more, or (code `retry`) not before its turn "
    "comes.",
}
FACTS = {
    FactKind.SENT: "The provider took it.",
    FactKind.DELIVERED: "It arrived.",
    FactKind.BOUNCED: "It came back; in mode `first` the next channel's turn.",
    FactKind.FAILED: "Refused for good; in mode `first` the next channel's turn.",
    FactKind.FAILED_OUTRIGHT: "Refused for good, and no reason to try another channel. Stored as "
    "status `f`.",
    FactKind.SUPPRESSED: "The address is suppressed; in mode `first` the next channel's turn.",
    FactKind.UNCERTAIN: "It may have arrived; costs a try.",
    FactKind.DEFERRED: "A transient failure: costs a try, and is tried again after the delay.",
    FactKind.RELEASED: "Certainly not sent; costs nothing. Stored as status `p`.",
    FactKind.LOOKED_FOR: "The provider was asked about an uncertain message, and will be again. "
    "The status stays `u`.",
    FactKind.NOT_FOUND: "The provider does not have it: it may be sent again. Stored as status "
    "`p`.",
    FactKind.WAITING: "Not started: it waits for its hours. The status stays.",
}
COUNTERS = {
    WaitCounter.POLLS: "The order was read, and is not finished.",
    WaitCounter.FAILS: "A call failed.",
    WaitCounter.ODD: "What the API shows cannot be, and may still come right.",
}


def markdown() -> str:
    """Return all letters as tables; KeyError for one whose meaning is missing above."""
    statuses = {status: letter for letter, status in STATUS.items()}
    counters = {word: COUNTER_FIELD[word] for word in WaitCounter}
    tables = [
        _table("Lanes: `Lane`, in jobs, due indexes, `died` and `blk:`", LANE_LETTER, LANES),
        _table("Channels: `ChannelName`, in records, counters, tokens", CHANNEL_LETTER, CHANNELS),
        _table("Statuses: `DeliveryStatus`, the first letter of a record", statuses, STATUSES),
        _table("Facts: `FactKind`, in what `record` is given", FACT_LETTER, FACTS),
        _table("Counters: `WaitCounter`, fields of a batch, in words", counters, COUNTERS),
    ]
    return "\n\n".join(tables)


def _table(title: str, letters: Mapping[Any, str], meanings: Mapping[Any, str]) -> str:
    head = [f"**{title}**", "", "| stored | word | meaning |", "|---|---|---|"]
    return "\n".join([*head, *_rows(letters, meanings)])


def _rows(letters: Mapping[Any, str], meanings: Mapping[Any, str]) -> Iterator[str]:
    for word, letter in letters.items():
        yield f"| `{letter}` | `{word.name}` (`{word}`) | {meanings[word]} |"
