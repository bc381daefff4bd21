"""What `status` needs to know besides the counters, and how it is shown to people."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.domain.clock import iso
from pipeline.domain.codes import find_reason, in_words
from pipeline.domain.models import CampaignState, ChannelName
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.rate_limiter import Breaker
from pipeline.views.campaign_status import DOING, campaign_state, ended
from worker.cli.console.campaigns import times
from worker.cli.console.tables import columns, facts, folded
from worker.wiring.ledger import App

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class FleetState:
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
class CampaignView:
    """One campaign as `status` shows it; `held` are the first held batches by reason."""

    snapshot: CampaignSnapshot
    around: FleetState
    held: dict[str, list[int]]


async def read_all(app: App) -> list[CampaignSnapshot]:
    """Return every campaign as it stands, oldest first."""
    return await app.campaigns.snapshots(list((await app.campaigns.ids()).values()))


async def read_fleet_state(app: App) -> FleetState:
    """Read the workers and breakers of the whole installation."""
    now_ms = await app.server.now_ms()
    alive = await app.workers.alive(now_ms)
    breakers = {channel: await app.limiter.breaker(channel) for channel in ChannelName}
    return FleetState(alive, breakers, now_ms)


async def read_view(app: App, serial: str) -> CampaignView:
    """Read all that is shown of one campaign."""
    snapshot, around, held = await asyncio.gather(
        app.campaigns.snapshot(serial), read_fleet_state(app), app.batches.held_numbers(serial)
    )
    return CampaignView(snapshot, around, held)


def campaign_lines(shown: CampaignView) -> list[str]:
    """Return everything about one campaign, and below it what to do."""
    lines = facts(_facts(shown))
    for sentence in advice(shown):
        lines += folded(sentence)
    if purged := shown.snapshot.purged_ms:
        lines += folded(f"People and links were purged on {iso(purged)}.")
    return lines


def all_lines(snapshots: Sequence[CampaignSnapshot], around: FleetState) -> list[str]:
    """Return one line per campaign, and one on the fleet."""
    if not snapshots:
        return ["No campaigns.", *folded(_fleet(around))]
    heading = ("campaign", "state", "reason", "people", "reached", "not reached", "open")
    rows = (_row(snapshot) for snapshot in snapshots)
    return [
        *columns((*heading, "submitted"), rows, right=range(3, 7)),
        *folded(_fleet(around)),
    ]


def _row(snapshot: CampaignSnapshot) -> list[str]:
    state, reason = campaign_state(snapshot)
    people = [snapshot.recipients, *snapshot.people().values()]
    return [
        snapshot.campaign_id,
        state.value,
        reason or "",
        *(f"{number:,}" for number in people),
        iso(snapshot.submitted_ms) or "",
    ]


def advice(shown: CampaignView) -> list[str]:
    """Return, a sentence each, what holds the campaign up and the command that moves it on."""
    snapshot = shown.snapshot
    campaign = snapshot.campaign_id
    lines: list[str] = []
    state, _ = campaign_state(snapshot)
    if state is CampaignState.PAUSED:
        lines.append(f"It is paused: `claimcast resume {campaign}` lets it go on.")
    if state is CampaignState.SCHEDULED:
        lines.append(f"It starts by itself at {iso(snapshot.starts_ms)}.")
    if not ended(snapshot):
        lines += _blocked(snapshot) + _held(shown)
        if not shown.around.workers:
            lines.append("No worker is running: start one with `claimcast worker`.")
    lines += _unsettled(snapshot)
    return lines


def _facts(shown: CampaignView) -> Iterator[tuple[str, str]]:
    snapshot = shown.snapshot
    state, reason = campaign_state(snapshot)
    words = f": {in_words(reason)} ({reason})" if reason else ""
    yield "campaign", snapshot.campaign_id
    yield "state", f"{state.value}{words}"
    yield "people", f"{snapshot.recipients:,}: {counts(snapshot.people())}"
    yield "deliveries", counts(snapshot.deliveries())
    yield "links", counts(snapshot.links())
    yield "batches", f"{snapshot.batch_count:,}: {counts(snapshot.batches())}"
    yield "submitted", iso(snapshot.submitted_ms) or ""
    if ended(snapshot):
        yield "finished", iso(snapshot.finished_ms) or ""
    yield "workers", _fleet(shown.around)


def suppressed_hint(campaign: str) -> str:
    """Return what helps people whose address is on the suppression list, where a retry cannot."""
    return (
        f"Where it is: `claimcast resend {campaign} RECIPIENT --email ADDRESS` sends the link to "
        "another address; to try the same one again, take it off first with `claimcast suppress "
        "remove --email ADDRESS`. (A number is given with --phone.)"
    )


def counts(numbers: dict[str, int]) -> str:
    """Return what there is of each kind, in words."""
    words = (f"{n:,} {name.replace('_', ' ')}" for name, n in numbers.items() if n)
    return ", ".join(words) or "none"


def _fleet(around: FleetState) -> str:
    return "; ".join([f"{times(around.workers, 'worker')} alive", *around.silent()])


def _blocked(snapshot: CampaignSnapshot) -> list[str]:
    lines = []
    for lane, block in snapshot.blocked.items():
        code = block.reason
        words = f' ("{block.words}")' if block.words else ""
        again = f" It is tried again at {iso(block.probe_ms)}." if block.probe_ms else ""
        lines.append(
            f"Blocked, {DOING[lane]}: {in_words(code)} ({code}){words}.{again}"
            f"{_remedy(code, snapshot.campaign_id)}"
        )
    return lines


def _held(shown: CampaignView) -> list[str]:
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


def _unsettled(snapshot: CampaignSnapshot) -> list[str]:
    lines = []
    if unknown := snapshot.noted("order_unknown"):
        reason = find_reason("order_unknown")
        words = f"{reason.meaning}. {reason.action}" if reason else ""
        lines.append(f"{times(unknown, 'order')}: {words}")
    failed = snapshot.people()["not_reached"]
    if failed and not snapshot.cancelled and not snapshot.purging:
        lines.append(
            f"{times(failed, 'person', 'people')} not reached: "
            f"`claimcast report {snapshot.campaign_id}` says why, `claimcast retry "
            f"{snapshot.campaign_id} --failed` tries those again whose address is not on the "
            f"suppression list. {suppressed_hint(snapshot.campaign_id)}"
        )
    return lines
