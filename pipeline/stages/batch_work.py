"""One batch in hand: what is sent to whom, put together message by message."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.callbacks.return_paths import Returns
from pipeline.callbacks.signed_tokens import Target
from pipeline.domain.models import Recipient, delivery_key
from pipeline.sending.dispatcher import Outbox, Outgoing, Round, Search
from pipeline.stages.campaign_cache import Known
from pipeline.store.formats.records import DeliveryRecord


@dataclass(frozen=True, slots=True)
class Packet:
    """What a batch holds besides its ledger: link k belongs to recipient k."""

    recipients: Sequence[Recipient]
    links: Sequence[str]


@dataclass(frozen=True, slots=True)
class Work:
    """One batch in hand, and where the answers to its messages come back."""

    current: Round
    known: Known
    packet: Packet
    returns: Returns

    def outgoing(
        self,
        outbox: Outbox,
        index: int,
        record: DeliveryRecord,
        attempt: int,
        *,
        closes_at: float | None = None,
        search: Search | None = None,
    ) -> Outgoing:
        """Return the message to recipient *index*, ready for the senders of *outbox*."""
        unit, recipient, channel = self.current.unit, self.packet.recipients[index], outbox.channel
        target = Target(
            serial=unit.serial,
            batch=unit.batch,
            index=index,
            channel=channel.name,
            generation=record.generation,
            attempt=attempt,
        )
        key = delivery_key(self.known.campaign.id, recipient.id, channel.name, record.generation)
        return Outgoing(
            round=self.current,
            composer=self.known.composer(channel),
            recipient=recipient,
            link=self.packet.links[index],
            key=key,
            index=index,
            attempt=attempt,
            tries=record.tries,
            generation=record.generation,
            returns=self.returns.of_message(target),
            closes_at=closes_at,
            search=search,
        )
