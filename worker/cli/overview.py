"""What `status` needs to know besides the counters, and how it is shown to people."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.limits import Breaker
from pipeline.models import CampaignState, ChannelName
from pipeline.reasons import find_reason, in_words
from pipeline.status import campaign_state, ended, iso
from pipeline.store.campaigns import Snapshot
from worker.app import App
from worker.cli.campaigns import times

_ALIVE_SECONDS = 15.0  # three heartbeats
_LANES = {"o": "ordering", "r": "reading orders", "s": "sending"}
_SHOWN = 5
_LOOK = 100


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The fleet at one moment: live workers and the channels' breakers, on server time."""

    workers: int
    breakers: dict[ChannelName, Breaker]
    now_ms: int

    def silent(self) -> Iterator[str]:
        """Yield a clause for each channel whose breaker is open."""
        for channel, breaker in self.breakers.items():
            if breaker.until_ms > self.now_ms:
                seconds = (breaker.until_ms - self.now_ms) // 1000 + 1
                why = f"{in_words(breaker.reason)} ({breaker.reason})"
                yield f"{channel} rests for {seconds} s: {why}"


@dataclass(frozen=True, slots=True)
class View:
    """One campaign as `status` shows it; `held` are the first held batches by reason."""

    snapshot: Snapshot
    around: Surroundings
    held: dict[str, list[int]]


async def surroundings(app: App) -> Surroundings:
    seconds, micros = await app.redis.time()
    alive = await app.redis.zcount("cc:workers", seconds - _ALIVE_SECONDS, "+inf")
    breakers = {channel: await app.limiter.breaker(channel) for channel in ChannelName}
    return Surroundings(int(alive), breakers, seconds * 1000 + micros // 1000)


async def view(app: App, serial: str) -> View:
    """Read all that is shown of one campaign."""
    snapshot, around, held = await asyncio.gather(
        app.campaigns.snapshot(serial), surroundings(app), _held_batches(app, serial)
    )
    return View(snapshot, around, held)


async def _held_batches(app: App, serial: str) -> dict[str, list[int]]:
    # An overdue order is read on, and no other is looked at again so late.
    waiting = await app.redis.zrange(f"cc:{serial}:due:h", 0, _LOOK - 1)
    waiting += await app.redis.zrange(f"cc:{serial}:due:r", 0, _LOOK - 1, desc=True)
    numbers = [int(number) for number in waiting]
    async with app.redis.pipeline(transaction=False) as pipe:
        for number in numbers:
            pipe.hget(f"cc:{serial}:b:{number}", "why")
        reasons = await pipe.execute() if numbers else []
    held: dict[str, list[int]] = {}
    for number, reason in sorted(zip(numbers, reasons, strict=True)):
        if reason is not None:
            held.setdefault(reason.decode(), []).append(number)
    return held


def campaign_table(shown: View) -> RenderableType:
    """Return everything about one campaign as a table, and below it what to do."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(shown):
        table.add_row(name, Text(value))
    return Group(table, *(Text(line) for line in advice(shown)))


def all_table(snapshots: Sequence[Snapshot], around: Surroundings) -> RenderableType:
    """Return one row per campaign."""
    table = Table(box=None, pad_edge=False)
    for name in ("campaign", "state", "reason"):
        table.add_column(name, no_wrap=name == "campaign")
    for name in ("people", "reached", "not reached", "open"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("submitted", no_wrap=True)
    for snapshot in snapshots:
        state, reason = campaign_state(snapshot)
        people = (f"{number:,}" for number in snapshot.people().values())
        submitted = iso(snapshot.number("sub")) or ""
        table.add_row(
            snapshot.campaign_id,
            state.value,
            reason or "",
            f"{snapshot.number('n'):,}",
            *people,
            submitted,
        )
    parts: list[RenderableType] = [table] if snapshots else [Text("No campaigns.")]
    return Group(*parts, Text(_fleet(around)))


def advice(shown: View) -> list[str]:
    """Return, a sentence each, what holds the campaign up and the command that moves it on."""
    snapshot = shown.snapshot
    campaign = snapshot.campaign_id
    lines: list[str] = []
    state, _ = campaign_state(snapshot)
    if state is CampaignState.PAUSED:
        lines.append(f"It is paused: `claimcast resume {campaign}` lets it go on.")
    if state is CampaignState.SCHEDULED:
        lines.append(f"It starts by itself at {iso(snapshot.number('start'))}.")
    if not ended(snapshot):
        lines += _blocked(snapshot) + _held(shown)
        if not shown.around.workers:
            lines.append("No worker is running: start one with `claimcast worker`.")
    lines += _unsettled(snapshot)
    return lines


def _facts(shown: View) -> Iterator[tuple[str, str]]:
    snapshot = shown.snapshot
    state, reason = campaign_state(snapshot)
    words = f": {in_words(reason)} ({reason})" if reason else ""
    yield "campaign", snapshot.campaign_id
    yield "state", f"{state.value}{words}"
    yield "people", f"{snapshot.number('n'):,}: {_counts(snapshot.people())}"
    yield "deliveries", _counts(snapshot.deliveries())
    yield "links", _counts(snapshot.links())
    yield "batches", f"{snapshot.batch_count:,}: {_counts(snapshot.batches())}"
    yield "submitted", iso(snapshot.number("sub")) or ""
    if ended(snapshot):
        yield "finished", iso(snapshot.number("fin")) or ""
    yield "workers", _fleet(shown.around)


def _counts(counts: dict[str, int]) -> str:
    words = (f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items() if n)
    return ", ".join(words) or "none"


def _fleet(around: Surroundings) -> str:
    return "; ".join([f"{times(around.workers, 'worker')} alive", *around.silent()])


def _blocked(snapshot: Snapshot) -> list[str]:
    lines = []
    for lane, name in _LANES.items():
        code = snapshot.text(f"blk:{lane}")
        if code is None:
            continue
        said = snapshot.text(f"blk:{lane}:text")
        words = f' ("{said}")' if said else ""
        probe = snapshot.number(f"blk:{lane}:until")
        again = f" It is tried again at {iso(probe)}." if probe else ""
        lines.append(
            f"Blocked, {name}: {in_words(code)} ({code}){words}.{again}"
            f"{_remedy(code, snapshot.campaign_id)}"
        )
    return lines


def _held(shown: View) -> list[str]:
    lines = []
    for code, number in shown.snapshot.held_reasons().items():
        which = shown.held.get(code, [])
        more = ", …" if number > len(which[:_SHOWN]) else ""
        numbers = f" (number {', '.join(map(str, which[:_SHOWN]))}{more})" if which else ""
        lines.append(
            f"Held, {times(number, 'batch', 'batches')}{numbers}: {in_words(code)} ({code})."
            f"{_remedy(code, shown.snapshot.campaign_id)}"
        )
    return lines


def _remedy(code: str, campaign: str) -> str:
    reason = find_reason(code)
    if reason is None:
        return f" When it is mended, `claimcast resume {campaign}` lets it go on."
    return f" {reason.by_itself} {reason.remedy(campaign)}"


def _unsettled(snapshot: Snapshot) -> list[str]:
    lines = []
    if unknown := snapshot.number("n:order_unknown"):
        reason = find_reason("order_unknown")
        words = f"{reason.meaning}. {reason.action}" if reason else ""
        lines.append(f"{times(unknown, 'order')}: {words}")
    failed = snapshot.people()["not_reached"]
    if failed and not snapshot.text("can") and not snapshot.text("purging"):
        lines.append(
            f"{times(failed, 'person', 'people')} not reached: "
            f"`claimcast report {snapshot.campaign_id}` says why, "
            f"`claimcast retry {snapshot.campaign_id} --failed` tries them again."
        )
    return lines
