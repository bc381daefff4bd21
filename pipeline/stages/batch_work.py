"""The batch that a worker distributes now: its contents, and the messages made from them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.callbacks.return_paths import ReturnPathFactory
from pipeline.callbacks.signed_tokens import Target
from pipeline.domain.models import Recipient, delivery_key
from pipeline.sending.dispatcher import Dispatcher, InFlightBatch, OutgoingMessage, Search
from pipeline.stages.campaign_cache import CachedCampaign
from pipeline.store.formats.records import DeliveryRecord


@dataclass(frozen=True, slots=True)
class BatchContents:
    """The recipients and links of a batch; link k belongs to recipient k."""

    recipients: Sequence[Recipient]
    links: Sequence[str]


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One batch that is being distributed; `returns` makes the addresses for answers."""

    current: InFlightBatch
    cached: CachedCampaign
    contents: BatchContents
    returns: ReturnPathFactory

    def outgoing(
        self,
        dispatcher: Dispatcher,
        index: int,
        record: DeliveryRecord,
        attempt: int,
        *,
        closes_at: float | None = None,
        search: Search | None = None,
    ) -> OutgoingMessage:
        """Return the message to recipient *index*, ready for the senders of *dispatcher*."""
        unit, recipient, channel = (
            self.current.unit,
            self.contents.recipients[index],
            dispatcher.channel,
        )
        target = Target(
            serial=unit.serial,
            batch=unit.batch,
            index=index,
            channel=channel.name,
            resend_number=record.resend_number,
            attempt=attempt,
        )
        key = delivery_key(
            self.cached.campaign.id, recipient.id, channel.name, record.resend_number
        )
        return OutgoingMessage(
            batch=self.current,
            composer=self.cached.composer(channel),
            recipient=recipient,
            link=self.contents.links[index],
            key=key,
            index=index,
            attempt=attempt,
            tries=record.tries,
            resend_number=record.resend_number,
            returns=self.returns.of_message(target),
            closes_at=closes_at,
            search=search,
        )
