"""Takes a campaign in: stages it row by row, commits it at once, refuses other content."""

import asyncio
import contextlib
import secrets
from array import array
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import islice
from operator import attrgetter

from pipeline.domain.campaign import Campaign
from pipeline.domain.campaign_versions import differences, is_editable
from pipeline.domain.clock import iso
from pipeline.domain.errors import InputError
from pipeline.domain.models import Recipient
from pipeline.domain.tasks import stop
from pipeline.intake.pipelined_writes import one_under_way
from pipeline.intake.recipients import Intake, RecipientRow, Summary
from pipeline.store.audit_trail import AuditAction, AuditTrail
from pipeline.store.campaigns import CampaignStore
from pipeline.store.formats.recipient_codec import canonical
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.staging import (
    Committed,
    Staging,
    StagingBusy,
    StagingStore,
    Totals,
    plan_of,
    planned_deliveries,
)

_KEEP_ALIVE = 2.0  # well below the time after which the staging area lapses

_SHOWN = {"reward.value", "reward.currency", "reward.max_total", "delivery.mode"}
"""Keys whose values fit into a sentence and are no personal data."""

Confirm = Callable[[Summary], Awaitable[bool]]


class InvalidRecipientsError(InputError):
    """The recipients have problems; `summary` holds them. Nothing was submitted."""

    def __init__(self, summary: Summary) -> None:
        super().__init__(
            f"{summary.problem_count} problems in the recipients; nothing was changed"
        )
        self.summary = summary


class DeclinedError(InputError):
    """The operator did not confirm."""


class DifferentContentError(InputError):
    """Another campaign, with other content, has this id."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The campaign as it stands in Redis; `created` is false if it had been submitted before."""

    serial: str
    created: bool
    summary: Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeLedger:
    """Where a campaign is submitted to, in batches of *batch_size* people."""

    staging: StagingStore
    campaigns: CampaignStore
    audit: AuditTrail
    batch_size: int


class Submission:
    """Submits one campaign; repeating it with the same content changes nothing."""

    def __init__(
        self,
        ledger: IntakeLedger,
        campaign: Campaign,
        intake: Intake,
        *,
        expected_rows: int,
        actor: str,
        start_ms: int = 0,
        skip_invalid: bool = False,
    ) -> None:
        self._audit = ledger.audit
        self._actor = actor
        self._staging = ledger.staging
        self._campaigns = ledger.campaigns
        self._campaign = campaign
        self._intake = intake
        self._expected_rows = expected_rows
        self._batch_size = ledger.batch_size
        self._start_ms = start_ms
        self._skip_invalid = skip_invalid

    async def run(self, confirm: Confirm | None = None) -> Submitted:
        """
        Take the campaign in; *confirm* is called after everything was checked and staged.

        Raises InvalidRecipientsError, DeclinedError, DifferentContentError, or InputError; in each
        case nothing of this attempt is left behind.
        """
        nonce = secrets.token_hex(8)
        opened = await self._open(nonce)
        if isinstance(opened, Committed):
            return await self._compare(opened.serial)
        try:
            async with self._kept_alive(nonce):
                totals = await self._stage(opened)
                summary = self._judge()
                await _ask(confirm, summary)
                await self._record(totals)
                committed = await self._staging.commit(opened, self._campaign, totals)
        except BaseException:
            # Also after Ctrl-C: the next process that starts removes what cannot be removed now.
            # Shielded: a second Ctrl-C must not leave half of it to the next sweep.
            await asyncio.shield(self._staging.discard(opened))
            raise
        if committed.serial != opened.serial:
            await self._staging.discard(opened)
            msg = "Another submit of this campaign finished first; run this again to compare."
            raise DifferentContentError(msg)
        return Submitted(committed.serial, created=True, summary=summary)

    async def _open(self, nonce: str) -> Staging | Committed:
        while True:
            opened = await self._staging.begin(
                self._campaign.id, nonce, expected_rows=self._expected_rows
            )
            if not isinstance(opened, StagingBusy):
                return opened
            # Another process is submitting it and will soon commit it or give up.
            await asyncio.sleep(min(opened.seconds, 0.5))

    @contextlib.asynccontextmanager
    async def _kept_alive(self, nonce: str) -> AsyncIterator[None]:
        async def keep() -> None:
            while True:
                await asyncio.sleep(_KEEP_ALIVE)
                await self._staging.begin(
                    self._campaign.id, nonce, expected_rows=self._expected_rows
                )

        task = asyncio.create_task(keep())
        try:
            yield
        finally:
            await stop(task)

    async def _stage(self, staging: Staging) -> Totals:
        recipients = deliveries = number = 0
        async with one_under_way() as writes:
            for number, rows in enumerate(_chunks(self._intake, self._batch_size), start=1):
                plan = plan_of(self._campaign, [row.recipient for row in rows])
                await writes.begin(partial(self._write, staging, number, rows, recipients, plan))
                recipients += len(rows)
                deliveries += planned_deliveries(plan, self._campaign.delivery.mode)
        return Totals(
            recipients=recipients,
            deliveries=deliveries,
            batches=number,
            batch_size=self._batch_size,
            content=self._intake.summary.digest,
            start_ms=self._start_ms,
        )

    async def _write(
        self, staging: Staging, number: int, rows: Sequence[RecipientRow], first: int, plan: str
    ) -> None:
        batch = [row.recipient for row in rows]
        duplicate = await self._staging.stage(staging, number, batch, first, plan)
        if duplicate is not None:
            # The intake finds duplicates itself; this is the ledger's own, last check.
            msg = f"line {rows[duplicate].line}: this id stands in the list already"
            raise InputError(msg)

    async def _record(self, totals: Totals) -> None:
        reward = self._campaign.reward
        await self._audit.add(
            AuditAction.SUBMIT,
            actor=self._actor,
            campaign=self._campaign.id,
            recipients=totals.recipients,
            product=reward.product_id,
            value=str(reward.value),
        )

    def _judge(self) -> Summary:
        summary = self._intake.summary
        if summary.fatal_count or (summary.problem_count and not self._skip_invalid):
            raise InvalidRecipientsError(summary)
        return summary

    async def _compare(self, serial: str) -> Submitted:
        """Compare with the committed campaign; DifferentContentError says what differs."""
        snapshot = await self._campaigns.snapshot(serial)
        _refuse_purged(snapshot)
        digests, lines = array("Q"), array("L")
        for row in self._intake:
            digests.append(_digest(row.recipient))
            lines.append(row.line)
        summary = self._judge()
        keys = await self._differing_keys(snapshot)
        found = await self._named(snapshot.serial, keys)
        if summary.digest != snapshot.content:
            found.append(await self._first_difference(snapshot, digests, lines))
            keys = ["recipients"]
        if found:
            raise DifferentContentError(_other_content(self._campaign.id, found, keys))
        return Submitted(serial, created=False, summary=summary)

    async def _differing_keys(self, snapshot: CampaignSnapshot) -> list[str]:
        """
        Return the keys in which the file differs from the stored campaign.

        None differ if the file is the current version or an earlier one: a repeated command goes
        on with the messages and limits of the latest edit.
        """
        serial = snapshot.serial
        found = differences(await self._campaigns.definition(serial), self._campaign)
        for version in range(snapshot.version - 1, 0, -1):
            if (
                found
                and await self._campaigns.earlier_definition(serial, version) == self._campaign
            ):
                return []
        return found

    async def _named(self, serial: str, keys: Sequence[str]) -> list[str]:
        """Return a single key by its name, with short values; of several keys the sections."""
        if len(keys) != 1:
            return list(dict.fromkeys(f"[{key.partition('.')[0]}]" for key in keys))
        [key] = keys
        if key not in _SHOWN:
            return [f"`{key}`"]
        value = attrgetter(key)
        then, now = value(await self._campaigns.definition(serial)), value(self._campaign)
        return [f"`{key}` ({then or 'nothing'} then, {now or 'nothing'} now)"]

    async def _first_difference(
        self, snapshot: CampaignSnapshot, digests: "array[int]", lines: "array[int]"
    ) -> str:
        position = 0
        for number in range(1, snapshot.batch_count + 1):
            for recipient in await self._campaigns.recipients(snapshot.serial, number):
                if position >= len(digests):
                    break
                # An erased recipient has no id any more, and cannot be compared.
                if recipient.id and digests[position] != _digest(recipient):
                    return f"the recipients (first on line {lines[position]})"
                position += 1
        return f"the recipients ({len(digests)} now, {snapshot.recipients} then)"


def _refuse_purged(snapshot: CampaignSnapshot) -> None:
    if purging := snapshot.purging_since_ms:
        msg = (
            f'Campaign "{snapshot.campaign_id}" was carried out before, and its people and links'
            f" were purged ({iso(purging)}); an id is never used twice, so take another one."
        )
        raise DifferentContentError(msg)


def _other_content(campaign: str, found: Sequence[str], keys: Sequence[str]) -> str:
    several = len(found) > 1 or found[0].startswith("the recipients")
    differ = f"{', '.join(found)} {'differ' if several else 'differs'}"
    sentence = f'Campaign "{campaign}" was submitted before with other content: {differ}.'
    if all(map(is_editable, keys)):
        return (
            f"{sentence} While it is paused, `claimcast edit {campaign} CAMPAIGN.toml` changes"
            " that for those who were not written to yet; else use the same files as then."
        )
    return f"{sentence} Use another id, or the same files as then."


async def _ask(confirm: Confirm | None, summary: Summary) -> None:
    if confirm is not None and not await confirm(summary):
        msg = "Nothing was submitted."
        raise DeclinedError(msg)


def _chunks(rows: Iterable[RecipientRow], size: int) -> Iterator[list[RecipientRow]]:
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk


def _digest(recipient: Recipient) -> int:
    return int.from_bytes(blake2b(canonical(recipient), digest_size=8).digest())
