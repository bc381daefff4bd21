"""One token for a fleet of workers, each with its own connections to one Valkey."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from cryptography.fernet import Fernet

from pipeline.domain.errors import CredentialsError, RewardsUnavailableError
from pipeline.domain.vault import Vault
from pipeline.rewards.models import Token
from pipeline.rewards.tokens import FleetToken
from pipeline.store.fleet.token_cache import TokenCache
from pipeline.store.scripts import Scripts
from tests.support.redis import Redis
from tests.support.server_clock import server_time
from tests.support.waiting import PATIENCE, wait_until

ACCOUNT = "account"
KEY, LOCK = f"cc:rewards:{ACCOUNT}:token", f"cc:rewards:{ACCOUNT}:token-lock"
SECRET_WORD = "s3cret-bearer"


class Api:
    """Creates numbered tokens; waits at `gate`, raises `failure`, counts."""

    def __init__(self, expires_in: float = 3600.0) -> None:
        self.expires_in = expires_in
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.asked = 0

    async def __call__(self) -> Token:
        self.asked += 1
        number = self.asked
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Token(value=f"{SECRET_WORD}-{number}", expires_in=self.expires_in)


@pytest.fixture
def api() -> Api:
    return Api()


Hire = Callable[..., Awaitable[FleetToken]]


@pytest.fixture
async def hire(valkey_url: str, redis: Redis, vault: Vault, api: Api) -> AsyncIterator[Hire]:
    """Return what hires one more worker of the fleet; its lock ends only if a test ends it."""
    async with AsyncExitStack() as stack:

        async def hired(
            *, keys: Vault = vault, account: str = ACCOUNT, **options: float
        ) -> FleetToken:
            own = await stack.enter_async_context(Redis.from_url(valkey_url))
            cache = TokenCache(own, Scripts(own), keys, account)
            return FleetToken(cache, api, **({"lock_seconds": 600.0} | options))

        yield hired


async def _age(redis: Redis, vault: Vault, *, usable: bool) -> None:
    """Make the cached token as old as it is at 80 % of its life, or at its end."""
    held = json.loads(vault.open(await redis.get(KEY), "rewards token"))
    held["fresh_until"] = 0.0
    held["usable_until"] = held["usable_until"] if usable else 0.0
    await redis.set(KEY, vault.seal(json.dumps(held).encode(), "rewards token"))


class Hurried:
    """Stands in for the module `asyncio` of FleetToken: its sleeps are noted, and end at once."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.slept: set[asyncio.Task[object] | None] = set()

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.slept.add(asyncio.current_task())
        await asyncio.sleep(0.001)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Hurried:
    found = Hurried()
    monkeypatch.setattr("pipeline.rewards.tokens.asyncio", found)
    return found


async def tried(redis: Redis) -> int:
    """Return how often anybody has tried to take the lock, or has kept a token."""
    return await calls(redis, "set")


async def calls(redis: Redis, command: str) -> int:
    """Return how often anybody, also a script, has given the server this *command*."""
    commands = await redis.info("commandstats")
    return int(commands.get(f"cmdstat_{command}", {}).get("calls", 0))


async def left_of(redis: Redis, key: str, seconds: float, *, since: float) -> bool:
    """Return whether *key* was given so many *seconds* of life at some moment *since* then."""
    left = await redis.pttl(key) / 1000
    took = await server_time(redis) - since
    return bool(seconds - took - 0.01 <= left <= seconds)


async def test_a_fleet_asks_once(hire: Hire, api: Api) -> None:
    workers = [await hire() for _ in range(5)]
    found = await asyncio.gather(*(worker.get() for worker in workers for _ in range(10)))
    assert set(found) == {f"{SECRET_WORD}-1"}
    assert api.asked == 1


async def test_the_token_is_stored_encrypted_and_no_longer_than_it_lives(
    hire: Hire, redis: Redis
) -> None:
    began = await server_time(redis)
    await (await hire()).get()
    assert SECRET_WORD.encode() not in await redis.get(KEY)
    assert await left_of(redis, KEY, 3600, since=began)
    assert await redis.exists(LOCK) == 0


async def test_two_accounts_have_two_tokens(hire: Hire, api: Api) -> None:
    first, second = await hire(), await hire(account="other")
    assert await first.get() != await second.get()


async def test_at_80_percent_one_worker_renews_and_the_others_go_on(
    hire: Hire, api: Api, redis: Redis, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.rewards.tokens._EARLY_S", 600.0)  # the machine may be busy
    leader, other = await hire(), await hire()
    old = await leader.get()
    await _age(redis, vault, usable=True)

    api.gate.clear()
    renewing = asyncio.create_task(leader.get())
    await wait_until(lambda: api.asked == 2)
    assert [await other.get() for _ in range(3)] == [old] * 3
    api.gate.set()
    assert await asyncio.wait_for(renewing, PATIENCE) == await other.get() == f"{SECRET_WORD}-2"
    assert api.asked == 2


async def test_freshness_is_80_percent_of_the_life(hire: Hire, redis: Redis, vault: Vault) -> None:
    before = (await redis.time())[0]
    await (await hire()).get()
    after = (await redis.time())[0] + 1
    held = json.loads(vault.open(await redis.get(KEY), "rewards token"))
    assert before <= held["fresh_until"] - 2880 <= after
    assert before <= held["usable_until"] - 3595 <= after


async def test_a_failed_early_renewal_costs_nothing(
    hire: Hire, api: Api, redis: Redis, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.rewards.tokens._EARLY_S", 600.0)  # the machine may be busy
    worker = await hire()
    old = await worker.get()
    await _age(redis, vault, usable=True)
    api.failure = CredentialsError("http_403")
    assert [await worker.get() for _ in range(3)] == [old] * 3
    assert api.asked == 2


async def test_an_expired_token_is_replaced(
    hire: Hire, api: Api, redis: Redis, vault: Vault
) -> None:
    worker = await hire()
    await worker.get()
    await _age(redis, vault, usable=False)
    api.failure = RewardsUnavailableError("http_504")
    with pytest.raises(RewardsUnavailableError):
        await worker.get()
    api.failure = None
    assert await worker.get() == f"{SECRET_WORD}-3"


async def test_without_a_token_the_others_wait_for_the_one_that_fetches(
    hire: Hire, api: Api, redis: Redis
) -> None:
    leader, other = await hire(), await hire()
    api.gate.clear()
    leading = asyncio.create_task(leader.get())
    await wait_until(lambda: api.asked == 1)
    before = await tried(redis)
    waiting = asyncio.create_task(other.get())

    async def has_tried_twice() -> bool:
        return await tried(redis) >= before + 2

    await wait_until(has_tried_twice)
    assert not waiting.done()
    api.gate.set()
    found = await asyncio.wait_for(asyncio.gather(leading, waiting), PATIENCE)
    assert set(found) == {f"{SECRET_WORD}-1"}
    assert api.asked == 1


async def test_a_slow_api_is_asked_once_as_its_lock_is_renewed(
    hire: Hire, api: Api, redis: Redis, hurried: Hurried
) -> None:
    leader, other = await hire(), await hire(wait_seconds=10_000)
    api.gate.clear()
    leading = asyncio.create_task(leader.get())
    await wait_until(lambda: api.asked == 1)
    waiting = asyncio.create_task(other.get())

    async def is_whole_again() -> bool:
        return int(await redis.pttl(LOCK)) > 400_000

    for _ in range(3):  # half of its life is over, each time
        await redis.pexpire(LOCK, 300_000)
        await wait_until(is_whole_again)
    assert 200.0 in hurried.waits, "the lock is renewed at a third of its life"
    assert not waiting.done()
    api.gate.set()
    found = await asyncio.wait_for(asyncio.gather(leading, waiting), PATIENCE)
    assert set(found) == {f"{SECRET_WORD}-1"}
    assert api.asked == 1


async def test_a_killed_leader_costs_the_rest_of_its_lock(
    hire: Hire, api: Api, redis: Redis
) -> None:
    await redis.set(LOCK, "of a worker that is dead", px=300)
    assert await (await hire()).get() == f"{SECRET_WORD}-1"


async def test_the_wait_for_another_worker_is_bounded(hire: Hire, api: Api, redis: Redis) -> None:
    await redis.set(LOCK, "of a worker that never ends")
    with pytest.raises(RewardsUnavailableError) as caught:
        await (await hire(wait_seconds=0.3)).get()
    assert (caught.value.code, caught.value.sent) == ("token_wait", False)
    assert api.asked == 0
    assert await redis.get(LOCK) == b"of a worker that never ends"


async def test_a_leader_that_lost_its_lock_overwrites_nothing(
    hire: Hire, api: Api, redis: Redis, vault: Vault
) -> None:
    api.gate.clear()
    slow = asyncio.create_task((await hire()).get())
    await wait_until(lambda: api.asked == 1)
    await redis.set(LOCK, "of another worker")
    api.gate.set()
    assert await asyncio.wait_for(slow, PATIENCE) == f"{SECRET_WORD}-1"
    assert await redis.get(KEY) is None
    assert await redis.get(LOCK) == b"of another worker"


async def test_a_leader_that_failed_late_leaves_the_lock_of_another_worker(
    hire: Hire, api: Api, redis: Redis
) -> None:
    api.gate.clear()
    slow = asyncio.create_task((await hire()).get())
    await wait_until(lambda: api.asked == 1)
    await redis.set(LOCK, "of another worker")
    api.failure = RewardsUnavailableError("http_504")
    api.gate.set()
    with pytest.raises(RewardsUnavailableError):
        await asyncio.wait_for(slow, PATIENCE)
    assert await redis.get(LOCK) == b"of another worker"
    assert await redis.pttl(LOCK) == -1  # no end was set


async def test_a_value_that_changed_meanwhile_is_not_deleted(redis: Redis) -> None:
    scripts = Scripts(redis)
    await redis.set(LOCK, b"of another worker")
    assert await scripts.call("token_release", ACCOUNT, b"of this worker") == 0
    assert await redis.exists(LOCK)
    assert await scripts.call("token_release", ACCOUNT, b"of another worker") == 1
    assert not await redis.exists(LOCK)


async def test_a_failure_is_raised_and_does_not_storm_the_api(
    hire: Hire, api: Api, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.rewards.tokens._PAUSE_S", 600.0)  # the machine may be busy
    api.failure = RewardsUnavailableError("http_504", retry_after=3.0)
    with pytest.raises(RewardsUnavailableError, match="http_504"):
        await (await hire()).get()
    workers = [await hire(wait_seconds=0.3) for _ in range(5)]
    errors = await asyncio.gather(*(each.get() for each in workers), return_exceptions=True)
    assert api.asked == 1
    assert [str(error).split(":")[0] for error in errors] == ["token_wait"] * 5
    assert 0 < await redis.pttl(LOCK) <= 600_000

    api.failure = None
    await redis.delete(LOCK)  # the pause is over
    assert await (await hire()).get() == f"{SECRET_WORD}-2"


async def test_waiting_workers_do_not_ask_after_a_leader_failed(
    hire: Hire, api: Api, redis: Redis, hurried: Hurried, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.rewards.tokens._PAUSE_S", 600.0)  # the machine may be busy
    leader, others = await hire(), [await hire(wait_seconds=20) for _ in range(4)]
    api.gate.clear()
    leading = asyncio.create_task(leader.get())
    await wait_until(lambda: api.asked == 1)
    waiting = [asyncio.create_task(each.get()) for each in others]
    await wait_until(lambda: hurried.slept.issuperset(waiting))
    assert not any(task.done() for task in waiting)
    before = await calls(redis, "del")

    api.failure = RewardsUnavailableError("http_504")
    api.gate.set()
    told = asyncio.gather(leading, *waiting, return_exceptions=True)
    errors = await asyncio.wait_for(told, PATIENCE)
    assert [str(error).split(":")[0] for error in errors] == ["http_504"] + ["token_wait"] * 4
    assert api.asked == 1
    assert await calls(redis, "del") == before, "the lock was nobody's for a moment"


async def test_a_cancelled_leader_leaves_the_lock_to_end_soon(
    hire: Hire, api: Api, redis: Redis
) -> None:
    api.gate.clear()
    leading = asyncio.create_task((await hire()).get())
    await wait_until(lambda: api.asked == 1)
    leading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(leading, PATIENCE)
    assert await redis.pttl(LOCK) <= 1000


async def test_discarding_takes_away_only_the_token_that_was_refused(hire: Hire, api: Api) -> None:
    one, other = await hire(), await hire()
    refused = await one.get()
    await one.discard(refused)
    fresh = await one.get()
    await other.discard(refused)
    await other.discard("something else")
    assert await other.get() == fresh == f"{SECRET_WORD}-2"


async def test_tokens_refused_in_a_row_are_counted_once_for_the_whole_fleet(hire: Hire) -> None:
    one, other = await hire(), await hire()
    first = await one.get()
    assert [await each.discard(first) for each in (one, other, one)] == [1, 1, 1]
    assert await other.discard(await other.get()) == 2
    assert await one.discard("what somebody held for long") == 2


async def test_a_token_that_works_for_anybody_ends_the_row(hire: Hire, redis: Redis) -> None:
    one, other = await hire(), await hire()
    assert await one.discard(await one.get()) == 1
    works = await other.get()
    await other.accept(works)
    assert await one.discard(works) == 1, "it worked, and ended"
    await other.accept(works)
    began = await server_time(redis)
    assert await one.discard("x") == 1, "that it had worked was known before it ended"
    assert await left_of(redis, f"cc:rewards:{ACCOUNT}:token-refusals", 3600, since=began)


async def test_that_a_token_works_is_noted_when_redis_takes_it_again(
    hire: Hire, redis: Redis
) -> None:
    worker = await hire()
    await worker.discard(await worker.get())
    token = await worker.get()
    await redis.execute_command("ACL", "SETUSER", "default", "-del")
    try:
        await worker.accept(token)
    finally:
        await redis.execute_command("ACL", "SETUSER", "default", "+del")
    await worker.accept(token)
    assert await worker.discard("x") == 0


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
async def test_a_token_that_cannot_be_opened_is_replaced(
    hire: Hire, redis: Redis, vault: Vault, damage: bytes | None
) -> None:
    worker = await hire()
    await redis.set(KEY, vault.seal(b"[1]", "rewards token") if damage is None else damage)
    await worker.discard("x")
    assert await worker.get() == f"{SECRET_WORD}-1"


async def test_a_token_sealed_by_other_keys_is_replaced(hire: Hire) -> None:
    stranger = await hire(keys=Vault([Fernet.generate_key().decode()]))
    await stranger.get()
    assert await (await hire()).get() == f"{SECRET_WORD}-2"
