"""The report at the end of a run: who was reached, who was not and why, and what to do next."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.domain.codes import find_reason, in_words
from pipeline.domain.models import CampaignState, DeliveryStatus
from pipeline.operations.suppressed_deliveries import SuppressedDeliveries, count_unreachable
from pipeline.store.formats.records import DeliveryRecord
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import campaign_state, ended, moves, reached_everybody
from worker.cli.console.entry import NOT_ALL_REACHED, OK
from worker.wiring.ledger import App

_REACHED = {DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.SUPPRESSED}
_OPEN = {DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.UNCERTAIN}
_REACHED_BY_RULE = (DeliveryStatus.SUPPRESSED, DeliveryStatus.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingReport:
    """
    A campaign as it stands, for people: the same text for the same ledger.

    `codes` says why people were not reached, `suppressed` how many of them no retry can reach, as
    their addresses are on the suppression list. `example` is somebody to look at, None if the ids
    are addresses. `program` is how commands begin.
    """

    snapshot: CampaignSnapshot
    name: str
    codes: Counter[str]
    suppressed: int
    example: str | None
    program: str = "claimcast"

    def lines(self) -> Iterator[str]:
        snapshot = self.snapshot
        state, _ = campaign_state(snapshot)
        yield f"{self.name} ({snapshot.campaign_id}): {state}"
        yield from self._people()
        yield from self._halted(state)
        seconds = _seconds(snapshot)
        rate = (snapshot.recipients - snapshot.people()["open"]) / seconds
        yield f"  took         {_duration(seconds)}, {rate:,.1f} people per second"
        yield f"  one person   {self._command('recipient', self.example or 'RECIPIENT')}"
        yield f"  everybody    {self._command('report', '--format', 'csv')}"

    def _people(self) -> Iterator[str]:
        people, deliveries = self.snapshot.people(), self.snapshot.deliveries()
        total = self.snapshot.recipients
        yield f"  reached      {people['reached']:,} of {total:,}"
        for status in _REACHED_BY_RULE:
            if deliveries[status]:
                yield f"               {deliveries[status]:,} of the deliveries {status} by rule"
        yield f"  not reached  {people['not_reached']:,}"
        for code, number in self.codes.most_common():
            yield f"               {number:,} x {_worded(code)}"
        if people["not_reached"] and not (self.snapshot.cancelled or self.snapshot.purging):
            yield from self._next_steps(people["not_reached"])
        # A forgotten person's message is not looked after any more, whatever became of it.
        if uncertain := deliveries["uncertain"] - self.snapshot.erased_uncertain:
            yield f"  uncertain    {uncertain:,} may or may not have arrived"
            yield f"               to send them again: {self._command('retry', '--uncertain')}"
        if people["open"]:
            yield f"  open         {people['open']:,}"

    def _next_steps(self, not_reached: int) -> Iterator[str]:
        again = self._command("retry", "--failed")
        if not_reached > self.suppressed:
            yield f"               to try them again: {again}"
        if self.suppressed:
            addressed = ("RECIPIENT", "--email", "ADDRESS")
            remove = f"{self._start}suppress remove --email ADDRESS"
            yield f"               {self.suppressed:,} no retry reaches: on the suppression list"
            yield f"               to use another address: {self._command('resend', *addressed)}"
            yield f"               to try the same again: {remove}, then {again}"

    def _halted(self, state: CampaignState) -> Iterator[str]:
        snapshot = self.snapshot
        if state is CampaignState.PAUSED:
            yield f"  paused       to go on: {self._command('resume')}"
        for block in snapshot.blocked.values():
            yield from self._stopped("blocked", block.reason, block.words or "")
        for code, number in snapshot.held_reasons().items():
            batches = f"{number:,} batch{'' if number == 1 else 'es'}"
            yield from self._stopped("held", code, batches)

    def _stopped(self, what: str, code: str, detail: str) -> Iterator[str]:
        yield f"  {what:12} {_worded(code)}" + (f" [{detail}]" if detail else "")
        reason = find_reason(code)
        if reason is None:
            verb = ("retry", "--held") if what == "held" else ("resume",)
            yield f"               to go on: {self._command(*verb)}"
            return
        remedy = reason.remedy(self.snapshot.campaign_id).replace("`claimcast ", "`" + self._start)
        yield f"               {reason.by_itself}"
        yield f"               {remedy}"

    def _command(self, verb: str, *more: str) -> str:
        return self._start + shlex.join([verb, self.snapshot.campaign_id, *more])

    @property
    def _start(self) -> str:
        return f"{self.program} "


async def closing_report(app: App, serial: str, *, program: str = "claimcast") -> ClosingReport:
    """Look the campaign up in the ledger; reads every batch if somebody was not reached."""
    snapshot = await app.campaigns.snapshot(serial)
    codes, first, suppressed = Counter[str](), (1, 0), 0
    if snapshot.people()["not_reached"]:
        codes, first, suppressed = await _causes(app, snapshot)
    definition = await app.campaigns.definition(serial)
    recipients = await app.campaigns.recipients(serial, first[0])
    # Everybody of a batch may have moved to another one, after a dead order.
    example = recipients[first[1]].id if recipients else "@"
    return ClosingReport(
        snapshot=snapshot,
        name=definition.name,
        codes=codes,
        suppressed=suppressed,
        # Of ids that are addresses none is shown: what is on the terminal ends up in logs.
        example=None if "@" in example else example,
        program=program,
    )


def exit_code(snapshot: CampaignSnapshot) -> int:
    """Return 0 if the campaign has ended and reached everybody, else 1."""
    return OK if ended(snapshot) and reached_everybody(snapshot) else NOT_ALL_REACHED


def remaining_work(snapshot: CampaignSnapshot) -> str:
    """Return a sentence on what is left and how to go on, after a person stopped the work."""
    left = snapshot.people()["open"]
    if ended(snapshot):
        return "Stopped; nothing is left to do."
    if not moves(snapshot):
        return f"Stopped; {left:,} people are open, and somebody must lend a hand (see above)."
    return f"Stopped; {left:,} people are open. Run the same command again to go on."


async def _causes(
    app: App, snapshot: CampaignSnapshot
) -> tuple[Counter[str], tuple[int, int], int]:
    """
    Return how many people were not reached, by code, and where the first of them stands.

    That is batch and index; the third value is how many of them no retry can reach.
    """
    codes, first, suppressed = Counter[str](), (1, 0), 0
    seen = SuppressedDeliveries(app.campaigns, app.suppressions)
    for batch in range(1, snapshot.batch_count + 1):
        ledger = await app.deliveries.read(snapshot.serial, batch)
        left = {index: ledger[index] for index in sorted(ledger) if _cause(ledger[index])}
        for index, records in left.items():
            first = first if codes else (batch, index)
            codes[_cause(records) or ""] += 1
        suppressed += count_unreachable(left, await seen.find_in(snapshot.serial, batch, left))
    # A person who was never tried has no field in the ledger: only a cancel settles them.
    untried = snapshot.people()["not_reached"] - codes.total()
    if untried > 0:
        codes["cancelled"] += untried
    return codes, first, suppressed


def _cause(records: Sequence[DeliveryRecord]) -> str | None:
    if any(record.status in _REACHED | _OPEN for record in records):
        return None
    return records[-1].code or records[-1].status.value


def _worded(code: str) -> str:
    words = in_words(code)
    return code if words == code else f"{words} ({code})"


def _seconds(snapshot: CampaignSnapshot) -> float:
    return max((snapshot.finished_ms or snapshot.now_ms) - snapshot.begun_ms, 1) / 1000


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
