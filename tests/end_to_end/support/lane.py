"""One small campaign in a database of its own, beside others that use the same servers."""

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cryptography.fernet import Fernet

from pipeline.domain.models import ChannelName, DeliveryStatus
from pipeline.domain.vault import Vault
from pipeline.store.batches import BatchStore
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore
from pipeline.store.fleet.keyring import unlock
from pipeline.store.scripts import Scripts
from tests.end_to_end.support.killable import Kill, Plan, run
from tests.end_to_end.support.world import open_world
from tests.pipeline.installation import Installation
from tests.support.redis import Redis
from worker.executor.queue import connection

BATCH_SIZE = 3
_DATABASES = 16  # of a server as it comes
_SETTINGS = {
    "CLAIMCAST_BATCH_SIZE": str(BATCH_SIZE),
    "CLAIMCAST_RETRY__FIRST": "0.05",
    "CLAIMCAST_RETRY__CAP": "0.2",
    "CLAIMCAST_LIMITS__SMS": "unlimited",
    "CLAIMCAST_ALERT__EMAIL": "operator@example.com",  # else nobody looks for alerts
}
_TWILIO = {"ACCOUNT_SID": "account_sid", "AUTH_TOKEN": "auth_token", "BASE_URL": "base_url"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    id: str
    email: str = ""
    phone: str = ""

    @property
    def is_refused(self) -> bool:
        """Whether the mail server knows no such mailbox."""
        return self.email.startswith("bounce-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What all lanes share; `env` is the settings that lead to the sandbox."""

    env: Mapping[str, str]
    addresses: Mapping[str, Any]
    valkey: str
    key: str
    directory: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @asynccontextmanager
    async def lane(self) -> AsyncIterator["Lane"]:
        """Open the next lane, empty; up to sixteen can be open at once."""
        number = next(self.numbers)
        url = f"{self.valkey}?db={number % _DATABASES}"
        async with Redis.from_url(url) as redis:
            await redis.flushdb()
            yield Lane(servers=self, url=url, redis=redis, number=number, keys=[self.key])


@contextmanager
def servers_beside(valkey: str, directory: Path, *options: str) -> Iterator[Servers]:
    """Run a sandbox with *options*, whose orders of a whole batch complete a moment later."""
    with open_world(directory, "--async-above", "2", "--async-delay", "0.1", *options) as world:
        yield Servers(
            env=world.env,
            addresses=world.addresses,
            valkey=valkey,
            key=Fernet.generate_key().decode(),
            directory=directory,
        )


@dataclass(slots=True, kw_only=True)
class Lane:
    """An installation: its database, its campaign, and the processes that work there."""

    servers: Servers
    url: str
    redis: Redis
    number: int
    keys: list[str]
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def campaign(self) -> str:
        return f"lane-{self.number}"

    @property
    def log(self) -> Path:
        return self.servers.directory / f"{self.campaign}.log"

    def people(self) -> list[Person]:
        """
        Return the people: over both channels, with a refused mail and a lost answer among them.

        Nobody's address or number was ever used before.
        """
        host, phone = f"{self.campaign}.example.com", f"+1555{self.number:05d}"
        return [
            Person(id="r0", email=f"person-0@{host}"),
            Person(id="r1", email=f"person-1@{host}", phone=f"{phone}01"),
            Person(id="r2", phone=f"{phone}02"),
            Person(id="r3", phone=f"+1500776{self.number:04d}"),
            Person(id="r4", email=f"bounce-4@{host}", phone=f"{phone}04"),
            Person(id="r5", email=f"person-5@{host}"),
            Person(id="r6", email=f"person-6@{host}"),
            Person(id="r7", phone=f"{phone}07"),
        ]

    def definition(self) -> dict[str, Any]:
        return {
            "id": self.campaign,
            "name": "Boundaries",
            "reward": {"product_id": "CVS", "value": "10.00"},
            "delivery": {"channels": ["email", "sms"]},
            "email": {"subject": "Your reward", "text": "Your reward: {{ link }}"},
            "sms": {"body": "Your reward: {{ link }}"},
            # Slow enough that there is something to kill.
            "limits": {"email": "5/s", "sms": "5/s"},
        }

    def rows(self) -> list[dict[str, str]]:
        return [asdict(each) for each in self.people()]

    async def enqueue(self, **changes: object) -> None:
        """Let an upstream system submit the campaign, with *changes*."""
        job = self.definition() | {"recipients": self.rows()} | changes
        async with connection(self.url) as pool:
            await pool.enqueue_job("submit_campaign", job)

    async def run(self, *words: str, kill: Kill | None = None, record: Path | None = None) -> int:
        """Run a command and return its exit code."""
        redis = {
            "CLAIMCAST_REDIS__URL": self.url,
            "CLAIMCAST_SECRET_KEYS": ",".join(self.keys),
        }
        plan = Plan(
            words=words,
            env={**self.servers.env, **_SETTINGS, **self._twilio(), **redis, **self.settings},
            directory=self.servers.directory,
            log=self.log,
            record=record,
            kill=kill,
        )
        return await run(plan)

    def _twilio(self) -> dict[str, str]:
        found = self.servers.addresses
        account = {f"CLAIMCAST_TWILIO__{name}": str(found[key]) for name, key in _TWILIO.items()}
        return account | {"CLAIMCAST_TWILIO__FROM_NUMBER": "+15005550006"}

    async def seen(self, *what: str) -> list[Any]:
        """Return what the sandbox has seen of everybody: its `account`, `mails` and `sms`."""
        url = self.servers.addresses["control_url"]
        # It speaks no TLS, and certificates take longer to load than its answers.
        async with httpx.AsyncClient(timeout=120, verify=False) as client:  # noqa: S501 - as above
            answers = [await client.get(f"{url}/{each}") for each in what]
        return [answer.raise_for_status().json() for answer in answers]

    async def opened(self) -> Installation:
        """Return the store, opened with the lane's keys; the first one seals."""
        vault, scripts = await unlock(self.redis, Vault(self.keys)), Scripts(self.redis)
        return Installation(
            self.redis,
            vault,
            CampaignStore(self.redis, scripts, vault),
            BatchStore(self.redis, scripts, vault),
            DeliveryStore(self.redis, scripts),
        )

    async def in_flight(self) -> set[tuple[ChannelName, str]]:
        """Return the deliveries, by channel and recipient id, that were begun and not settled."""
        store = await self.opened()
        serial = await store.campaigns.find(self.campaign)
        if serial is None:
            return set()
        batches = (await store.snapshot(serial)).batch_count
        return {
            (record.channel, f"r{(batch - 1) * BATCH_SIZE + index}")
            for batch in range(1, batches + 1)
            for index, records in (await store.deliveries.read(serial, batch)).items()
            for record in records
            if record.status is DeliveryStatus.SENDING
        }

    async def time_passes(self) -> None:
        """Let lapse what a dead process held, as it would by itself, some of it in a minute."""
        for pattern in ("arq:in-progress:*", "*:token-lock", "cc:purger", "cc:alerts:turn"):
            async for key in self.redis.scan_iter(match=pattern):
                await self.redis.delete(key)
        async for key in self.redis.scan_iter(match="cc:*:b:*"):
            if await self.redis.hexists(key, "tok"):
                await self.redis.hset(key, "lu", "1")
        async for key in self.redis.scan_iter(match="cc:*:due:[ors]"):
            standing = await self.redis.zrange(key, 0, -1)
            await self.redis.zadd(key, dict.fromkeys(standing, 0))
        for campaign, entry in (await self.redis.hgetall("cc:staging")).items():
            owner = entry.rpartition(b" ")[0]
            await self.redis.hset("cc:staging", campaign, owner + b" 1")
