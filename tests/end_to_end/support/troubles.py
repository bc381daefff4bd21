"""Scenarios of a small campaign, between them calling every port that a worker has."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import httpx

from pipeline.intake.campaign_file import campaign_from_dict
from pipeline.intake.recipients import check_recipients
from pipeline.intake.submission import Submission
from pipeline.rewards.account import Account
from pipeline.rewards.models import Token
from pipeline.rewards.tokens import FleetToken
from pipeline.store.fleet.token_cache import TokenCache
from pipeline.store.scripts import Scripts
from tests.end_to_end.support.lane import BATCH_SIZE, Lane
from tests.support.waiting import wait_until

_COST = "80"  # of everybody's reward
_LEASE = 2  # seconds
_LONG = 1.5  # seconds; twice a third of that lease
_REFUSALS = 5  # as many as it takes for a breaker to open
_DOOR = "CLAIMCAST_SMTP__PORT"


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What happens around a campaign: entered before the worker starts, left when all is over.

    *mended* are commands that an operator has to type after the first worker that lived.
    """

    around: Callable[[Lane], AbstractAsyncContextManager[None]]
    mended: tuple[str, ...] = ()
    cancelled: bool = False


@asynccontextmanager
async def _plain(lane: Lane) -> AsyncIterator[None]:
    """Submitted over the queue, beside one that is refused; the cached token is refused too."""
    store = await lane.opened()
    account = _account(lane)

    async def refused() -> Token:
        return Token(Value="nonsense", ExpiresIn=3600)  # type: ignore[call-arg] # by alias

    cache = TokenCache(lane.redis, Scripts(lane.redis), store.vault, account.digest)
    await FleetToken(cache, fetch=refused).get()
    twice = [*lane.rows(), lane.rows()[0]]
    await lane.enqueue(id=f"{lane.campaign}-refused", recipients=twice)
    await lane.enqueue()
    yield


@asynccontextmanager
async def _cancelled(lane: Lane) -> AsyncIterator[None]:
    """Cancelled before a worker is there."""
    await submit(lane)
    store = await lane.opened()
    serial = await store.campaigns.find(lane.campaign)
    assert serial is not None
    assert await store.campaigns.steer(serial, "cancel")
    yield


@asynccontextmanager
async def _foreign(lane: Lane) -> AsyncIterator[None]:
    """The first PO number is taken by an order that nobody here knows of."""
    found = lane.servers.addresses
    login = {"Email": found["email"], "AccessToken": found["access_token"]}
    item = {"ProductId": "CVS", "Value": 10, "Quantity": BATCH_SIZE}
    order = {"Type": "Links", "PONumber": f"CC-{lane.campaign}-00001", "LineItems": [item]}
    async with httpx.AsyncClient(base_url=found["base_url"], timeout=120) as api:
        answer = (await api.post("/v1/Tokens", headers=login)).raise_for_status()
        bearer = {"Authorization": f"Bearer {answer.json()['Value']}"}
        (await api.post("/v1/Orders", json=order, headers=bearer)).raise_for_status()
    await lane.enqueue()
    yield


def _shaky(lane: Lane) -> AbstractAsyncContextManager[None]:
    """The mail server hangs up on the first connections."""
    return _behind_a_door(lane, refusals=_REFUSALS, seconds=0)


def _slow(lane: Lane) -> AbstractAsyncContextManager[None]:
    """The mail server takes longer to greet than a lease may go without a heartbeat."""
    lane.settings["CLAIMCAST_LEASE_SECONDS"] = str(_LEASE)
    return _behind_a_door(lane, refusals=0, seconds=_LONG)


@asynccontextmanager
async def _behind_a_door(lane: Lane, *, refusals: int, seconds: float) -> AsyncIterator[None]:
    refused = 0

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal refused
        refused += 1
        if refused <= refusals:
            writer.close()
            return
        await asyncio.sleep(seconds)
        server, port = lane.servers.env["CLAIMCAST_SMTP__HOST"], lane.servers.env[_DOOR]
        inner, outer = await asyncio.open_connection(server, int(port))
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as door:
        lane.settings[_DOOR] = str(door.sockets[0].getsockname()[1])
        await lane.enqueue()
        yield


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def _poor(lane: Lane) -> AsyncIterator[None]:
    """The account is empty; somebody pays in once ordering is blocked for that."""
    lane.settings["CLAIMCAST_REWARDS__FUNDS_PROBE"] = "0.3"
    control = lane.servers.addresses["control_url"]

    async def blocked() -> bool:
        keys = [key async for key in lane.redis.scan_iter(match="cc:[0-9]*", _type="hash")]
        return any([await lane.redis.hexists(key, "blk:o") for key in keys])

    async def pay() -> None:
        await wait_until(blocked)
        async with httpx.AsyncClient(timeout=120) as client:
            (await client.post(f"{control}/funds", json={"add": _COST})).raise_for_status()

    await lane.enqueue()
    async with asyncio.TaskGroup() as group:
        group.create_task(pay())
        yield


async def submit(lane: Lane) -> str:
    """Submit the campaign as `claimcast submit` does, and return its serial."""
    store = await lane.opened()
    campaign, problems = campaign_from_dict(lane.definition())
    assert campaign is not None, problems
    submission = Submission(
        store.intake_ledger(BATCH_SIZE),
        campaign,
        check_recipients(lane.rows(), campaign),
        expected_rows=len(lane.people()),
        actor="ann",
    )
    return (await submission.run()).serial


def _account(lane: Lane) -> Account:
    found = lane.servers.addresses
    return Account(
        base_url=found["base_url"], email=found["email"], access_token=found["access_token"]
    )


PLAIN = Scenario(_plain)
CANCELLED = Scenario(_cancelled, cancelled=True)
FOREIGN = Scenario(_foreign, mended=("retry", "--held", "--adopt"))
SHAKY = Scenario(_shaky)
SLOW = Scenario(_slow)
POOR = Scenario(_poor)
"""Has to be alone with its sandbox."""
