"""Starts deliveries: as many as permits allow, each after its intent is written."""

import asyncio
from collections.abc import Mapping

from pipeline.domain.clock import uptime
from pipeline.domain.models import ChannelName
from pipeline.sending.dispatcher import Dispatcher
from pipeline.sending.intent_writes import IntentWrites
from pipeline.sending.quiet_hours import QuietHours
from pipeline.stages.batch_work import BatchJob
from pipeline.stages.due_deliveries import Due
from pipeline.store.deliveries import DeliveryStore, IntentRequest
from pipeline.store.keys import campaign_limiter
from pipeline.store.rate_limiter import Limiter
from pipeline.store.suppressions import Suppressions

_LONGEST_NAP = 0.5


class Starter:
    """Acquires permits, writes intents, and queues the granted messages at the dispatcher."""

    def __init__(
        self, deliveries: DeliveryStore, limiter: Limiter, suppressions: Suppressions
    ) -> None:
        self._deliveries = deliveries
        self._limiter = limiter
        self._suppressions = suppressions

    async def start(
        self, work: BatchJob, dispatcher: Dispatcher, ready: QuietHours, until: float
    ) -> float:
        """
        Start deliveries as permits allow; return how many seconds the rest has to wait.

        Returns at *until* (`uptime`) at the latest, even if deliveries are left.
        """
        channel, campaign = dispatcher.channel.name, work.cached.campaign
        own = {campaign_limiter(work.current.unit.serial, channel): campaign.limit(channel)}
        # A delivery that waits for its own limit gives way to others, which may have permits.
        wanted, limited = ready.now, campaign.limit(channel) is not None
        async with IntentWrites(at_once=self._deliveries.waits_for_disk) as intent_writes:
            while wanted and uptime() < until:
                room = await dispatcher.reserve(len(wanted), resends=campaign.resends(channel))
                try:
                    permits = await self._limiter.acquire(channel, room, own)
                except BaseException:
                    dispatcher.give_back(room)
                    raise
                dispatcher.give_back(room - permits.granted)
                if permits.granted:
                    now, wanted = wanted[: permits.granted], wanted[permits.granted :]
                    await intent_writes.add(
                        self._intend_and_enqueue(work, dispatcher, now, ready.closes)
                    )
                elif limited or permits.wait > _LONGEST_NAP:
                    return permits.wait
                else:
                    await asyncio.sleep(permits.wait)
        return 0.0

    async def _intend_and_enqueue(
        self, work: BatchJob, dispatcher: Dispatcher, now: Due, closes: Mapping[int, float]
    ) -> None:
        """Write the intents, and queue the granted messages for the senders."""
        channel, current = dispatcher.channel.name, work.current
        wanted = [
            IntentRequest(
                index,
                channel,
                record.attempt,
                self._suppression(work, channel, index),
                record.resend_number,
            )
            for index, record in now
        ]
        try:
            attempts = await self._deliveries.intend(current.lease.claim, wanted)
        except BaseException:
            dispatcher.give_back(len(now))
            raise
        granted = sum(1 for attempt in attempts if attempt)
        dispatcher.give_back(len(now) - granted)
        current.count_started(granted)
        for (index, record), attempt in zip(now, attempts, strict=True):
            if attempt:
                closes_at = closes.get(index)
                dispatcher.enqueue(
                    work.outgoing(dispatcher, index, record, attempt, closes_at=closes_at)
                )

    def _suppression(self, work: BatchJob, channel: ChannelName, index: int) -> tuple[str, bytes]:
        address = work.contents.recipients[index].address(channel)
        return self._suppressions.key_of(channel, address)
