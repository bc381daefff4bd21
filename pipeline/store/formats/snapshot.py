"""The hash of a campaign, read: its flags and counters as they stood at one moment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.domain.batch import WORKED_LANES, Lane
from pipeline.domain.models import BatchState, ChannelName, DeliveryStatus
from pipeline.store.codec import CHANNEL, CHANNEL_LETTER, LANE_LETTER

PEOPLE = ("reached", "not_reached", "open")
LINKS = ("ordered", "received", "awaited", "missing", "assigned", "spare")

ERASED_UNCERTAIN = "d:uncertain:forgotten"
COUNTER_PREFIXES = ("d:", "c:", "b:", "p:", "l:", "h:", "n:")


def delivery_counter(status: DeliveryStatus) -> str:
    """Return the field that counts the deliveries in a state."""
    return f"d:{status}"


def channel_counter(channel: ChannelName, status: DeliveryStatus) -> str:
    """Return the field that counts what was tried over one channel."""
    return f"c:{CHANNEL_LETTER[channel]}:{status}"


def batch_counter(state: BatchState) -> str:
    return f"b:{state}"


def people_counter(kind: str) -> str:
    """Return the field of one of `PEOPLE`."""
    return f"p:{kind}"


def links_counter(kind: str) -> str:
    """Return the field of one of `LINKS`."""
    return f"l:{kind}"


def held_counter(reason: str) -> str:
    """Return the field that counts the batches that are held for one reason."""
    return f"h:{reason}"


def note_counter(note: str) -> str:
    """Return the field that counts the batches that were ended with a note."""
    return f"n:{note}"


def block_field(lane: Lane) -> str:
    """Return the field that says why a lane is blocked; what belongs to it begins so, too."""
    return f"blk:{LANE_LETTER[lane]}"


def summary_fields(reasons: Iterable[str]) -> list[str]:
    """Return the fields that state and figures are in, with the holds for *reasons*."""
    return [
        *("channels", "can", "fin", "pau", "start", "sub"),
        *map(block_field, WORKED_LANES),
        *map(delivery_counter, DeliveryStatus),
        *(channel_counter(name, each) for name in ChannelName for each in DeliveryStatus),
        *map(batch_counter, BatchState),
        *map(people_counter, PEOPLE),
        *map(links_counter, LINKS),
        *map(held_counter, reasons),
    ]


def flag_fields() -> list[str]:
    """Return the fields that say when a lane may be worked on (`workable_at`)."""
    blocks = [block_field(lane) for lane in WORKED_LANES]
    return ["pau", "can", "start", *blocks, *map(_until, blocks)]


def halt_fields() -> list[str]:
    """Return the fields that say whether nothing may be started."""
    return ["pau", "can"]


def purge_fields() -> list[str]:
    """Return the fields that say how far a purge is, and since when it may be."""
    return ["fin", "purging", "purged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """
    What stops a lane: a code, the provider's own words, and when one batch tries it again.

    `probe_ms` is 0 where only a person helps; `probes` counts the tries so far.
    """

    reason: str
    words: str | None
    probe_ms: int
    probes: int


@dataclass(frozen=True)
class CampaignSnapshot:
    """
    A campaign at one moment of server time; times are ms since the epoch, 0 for never.

    *fields* is its hash as it is stored, or some fields of it: nothing but this class reads them.
    A snapshot of some fields answers only what those tell; all others count as never set.
    """

    serial: str
    fields: Mapping[str, str]
    now_ms: int

    @classmethod
    def of_some(
        cls, serial: str, names: Sequence[str], reply: Sequence[bytes | None], now_ms: int
    ) -> "CampaignSnapshot":
        """Return the snapshot of the fields *names*, from what HMGET of them replied."""
        found = zip(names, reply, strict=True)
        fields = {name: value.decode() for name, value in found if value is not None}
        return cls(serial, fields, now_ms)

    @property
    def exists(self) -> bool:
        return bool(self.fields)

    @property
    def campaign_id(self) -> str:
        return self.fields["id"]

    @property
    def content(self) -> str | None:
        """The digest of all recipients in their order."""
        return self.fields.get("content")

    @property
    def recipients(self) -> int:
        return self._number("n")

    @property
    def batch_count(self) -> int:
        return self._number("nb")

    @property
    def batch_size(self) -> int:
        return self._number("bs")

    @property
    def lookup_buckets(self) -> int:
        """Over how many hashes the look-up of its recipients is spread."""
        return self._number("xb")

    @property
    def channels(self) -> tuple[ChannelName, ...]:
        return tuple(CHANNEL[letter] for letter in self.fields.get("channels", ""))

    @property
    def mode(self) -> str:
        return self.fields.get("mode", "first")

    @property
    def version(self) -> int:
        return self._number("ver")

    def version_starts(self) -> dict[int, int]:
        """Return when each version of the definition began; the first one with the campaign."""
        later = range(2, int(self.fields.get("ver", 1)) + 1)
        return {1: int(self.fields["sub"])} | {n: int(self.fields[f"ver:{n}"]) for n in later}

    @property
    def epoch_ms(self) -> int:
        """What the times in its ledger count from."""
        return self._number("t0")

    @property
    def submitted_ms(self) -> int:
        return self._number("sub")

    @property
    def starts_ms(self) -> int:
        """When it was asked to start, 0 for at once."""
        return self._number("start")

    @property
    def begun_ms(self) -> int:
        """When work on it could begin."""
        return max(self.submitted_ms, self.starts_ms)

    @property
    def finished_ms(self) -> int:
        return self._number("fin")

    @property
    def ended(self) -> bool:
        """Whether every batch has come to its end."""
        return "fin" in self.fields

    @property
    def paused(self) -> bool:
        return "pau" in self.fields

    @property
    def cancelled(self) -> bool:
        return "can" in self.fields

    @property
    def halted(self) -> bool:
        """Whether nothing may be started: it is paused or cancelled."""
        return self.paused or self.cancelled

    @property
    def purging(self) -> bool:
        """Whether its people and links are being removed, or are gone."""
        return "purging" in self.fields

    @property
    def purging_since_ms(self) -> int:
        return self._number("purging")

    @property
    def purged_batches(self) -> int:
        """How many batches a purge that is under way is through with."""
        return self._number("purging:to")

    @property
    def purged_ms(self) -> int:
        return self._number("purged")

    @cached_property
    def blocked(self) -> Mapping[Lane, Block]:
        """What stops which lane; empty if nothing does."""
        return {lane: block for lane in WORKED_LANES if (block := self._block(lane))}

    def probes(self, lane: Lane) -> int:
        """Return how often a blocked lane was tried again."""
        block = self.blocked.get(lane)
        return block.probes if block else 0

    def workable_at(self, lane: Lane, due_ms: float) -> float | None:
        """
        Return when the pump dispatches a batch that is due at *due_ms*, in ms since the epoch.

        None if only a person helps: it is paused, or its lane is blocked without a probe ahead.
        """
        if self.cancelled:
            return due_ms
        block = self.blocked.get(lane)
        if self.paused or (block and not block.probe_ms):
            return None
        return max(due_ms, self.starts_ms, block.probe_ms if block else 0)

    @property
    def erased_uncertain(self) -> int:
        """How many deliveries stay uncertain for ever, as their people were erased."""
        return self._number(ERASED_UNCERTAIN)

    def deliveries(self) -> dict[str, int]:
        return {status.value: self._number(delivery_counter(status)) for status in DeliveryStatus}

    def batches(self) -> dict[str, int]:
        return {state.value: self._number(batch_counter(state)) for state in BatchState}

    def people(self) -> dict[str, int]:
        return {kind: self._number(people_counter(kind)) for kind in PEOPLE}

    def links(self) -> dict[str, int]:
        return {kind: self._number(links_counter(kind)) for kind in LINKS}

    def tried(self, channel: ChannelName) -> dict[DeliveryStatus, int]:
        """Return what became of everything that was tried over one channel."""
        return {each: self._number(channel_counter(channel, each)) for each in DeliveryStatus}

    def held_reasons(self) -> dict[str, int]:
        """Return how many batches are held for which reason."""
        return dict(self._counted(held_counter("")))

    def noted(self, note: str) -> int:
        """Return how many batches were ended with this note."""
        return self._number(note_counter(note))

    def counters(self) -> dict[str, int]:
        """Return every counter that is not 0, by the field it is stored in."""
        return {
            name: int(value)
            for name, value in self.fields.items()
            if name.startswith(COUNTER_PREFIXES) and int(value)
        }

    def _number(self, name: str) -> int:
        return int(self.fields.get(name, 0))

    def _counted(self, prefix: str) -> Iterator[tuple[str, int]]:
        for name, value in self.fields.items():
            if name.startswith(prefix) and int(value) > 0:
                yield name.removeprefix(prefix), int(value)

    def _block(self, lane: Lane) -> Block | None:
        field = block_field(lane)
        reason = self.fields.get(field)
        if not reason:
            return None
        return Block(
            reason=reason,
            words=self.fields.get(f"{field}:text"),
            probe_ms=self._number(_until(field)),
            probes=self._number(f"{field}:n"),
        )


def _until(block: str) -> str:
    """Return the field that says when one batch tries a blocked lane again."""
    return f"{block}:until"
