"""Campaigns brought to a state by the real verbs of the store, without API and mail server."""

import secrets
from dataclasses import dataclass

from cryptography.fernet import Fernet

from pipeline.domain.batch import Lane
from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ChannelName, FactKind
from pipeline.domain.vault import Vault
from pipeline.intake.submission import Submission
from pipeline.rewards.models import OrderRequest
from pipeline.stages.order_request import po_number
from pipeline.store.batches import BatchStore, Claim
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore, Fact, IntentRequest
from pipeline.store.fleet.keyring import unlock
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.scripts import Scripts
from tests.pipeline.intake.builders import a_campaign, an_intake
from tests.pipeline.ledger import LEASE
from tests.pipeline.stores import Stores
from tests.support.redis import Redis

PEOPLE = 5
BATCH_SIZE = 2


@dataclass
class Installation(Stores):
    """The store, and how far to bring a campaign in it."""

    redis: Redis
    vault: Vault
    campaigns: CampaignStore
    batches: BatchStore
    deliveries: DeliveryStore

    @classmethod
    async def opened(cls, redis: Redis, key: str | None = None) -> "Installation":
        vault = await unlock(redis, Vault([key or Fernet.generate_key().decode()]))
        scripts = Scripts(redis)
        return cls(
            redis,
            vault,
            CampaignStore(redis, scripts, vault),
            BatchStore(redis, scripts, vault),
            DeliveryStore(redis, scripts),
        )

    async def submitted(
        self, people: int = PEOPLE, campaign: Campaign | None = None, *, size: int = BATCH_SIZE
    ) -> str:
        """Return the serial of a campaign of r0, r1, … with e-mail addresses and phones."""
        campaign = campaign or a_campaign()
        rows = [f"r{i},p{i}@example.com,+4930123456{i:03}" for i in range(people)]
        intake = an_intake("\n".join(["id,email,phone", *rows]), campaign)
        submission = Submission(
            self.intake_ledger(size),
            campaign,
            intake,
            actor="ann",
            expected_rows=people,
        )
        return (await submission.run()).serial

    async def snapshot(self, serial: str) -> CampaignSnapshot:
        return await self.campaigns.snapshot(serial)

    async def claims(self, lane: Lane) -> list[Claim]:
        """Claim every batch that is due in a lane."""
        slots = {each: 1000 * (each is lane) for each in Lane}
        units = await self.batches.pump(
            order=slots[Lane.ORDER],
            read=slots[Lane.READ],
            send=slots[Lane.SEND],
            dispatch_seconds=LEASE,
        )
        claims = [
            await self.batches.claim(unit, nonce=secrets.token_hex(8), lease_seconds=LEASE)
            for unit in units
        ]
        return [claim for claim in claims if claim is not None]

    async def ordered(self, serial: str) -> list[Claim]:
        """Order every planned batch; the claims keep the lease, to receive the links."""
        definition = await self.campaigns.definition(serial)
        placed = []
        for claim in await self.claims(Lane.ORDER):
            request = OrderRequest(
                po_number=po_number(claim.campaign_id, claim.unit.batch),
                product_id=definition.reward.product_id,
                value=definition.reward.value,
                quantity=claim.batch.size,
            )
            posts = await self.batches.order_intent(
                claim,
                po_number=request.po_number,
                payload_hash=request.payload_hash(),
                nonce=secrets.token_hex(8),
            )
            assert posts == 0
            order = f"order-{serial}-{claim.unit.batch}"
            placed.append(await self.batches.order_placed(claim, order))
        return placed

    async def fulfilled(self, serial: str) -> None:
        """Order and receive all links."""
        for claim in await self.ordered(serial):
            assert await self.batches.links_received(claim, links_of(claim)) is None

    async def settled(
        self,
        serial: str,
        kind: FactKind = FactKind.SENT,
        code: str = "",
        *,
        channel: ChannelName = ChannelName.EMAIL,
    ) -> None:
        """Start every delivery that waits, let it end so, and settle the batches."""
        for claim in await self.claims(Lane.SEND):
            unit = claim.unit
            wanted = [
                IntentRequest(index, channel, attempt_of(claim, index, channel))
                for index in range(claim.batch.size)
            ]
            attempts = await self.deliveries.intend(claim, wanted)
            facts = [
                Fact(
                    index,
                    channel,
                    attempt,
                    kind,
                    code,
                    60 if kind in {FactKind.DEFERRED, FactKind.UNCERTAIN} else 0,
                )
                for index, attempt in enumerate(attempts)
            ]
            await self.deliveries.record({(unit.serial, unit.batch): facts})
            await self.batches.distributed(claim, delay=0)

    async def finished(self, serial: str) -> None:
        await self.fulfilled(serial)
        await self.settled(serial)


def attempt_of(claim: Claim, index: int, channel: ChannelName) -> int:
    records = claim.ledger.get(index, ())
    return next((record.attempt for record in records if record.channel is channel), 0)


def links_of(claim: Claim) -> list[str]:
    """Return links that no other batch has."""
    unit = claim.unit
    return [
        f"https://links.example/{unit.serial}/{unit.batch}/{k}" for k in range(claim.batch.size)
    ]
