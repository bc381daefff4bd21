"""Connections to Redis that survive what arq's defaults do not, and the check of the server."""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import (
    Connection,
    ConnectionPool,
    Redis,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from pipeline.domain.errors import InputError, UnavailableError
from pipeline.store.client import Client, typed
from pipeline.store.durability import EverySecond

_OUTAGES = (RedisConnectionError, RedisTimeoutError, BusyLoadingError, OSError)
_OLDEST = 7
_WANTED = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",  # else nothing is synced during a rewrite, also with always
    "maxmemory-policy": "noeviction",
}


class _Steady(AbstractConnection):
    """A line that was reset while it rested counts as lost: uvloop raises something else then."""

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's signature
    ) -> None:
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            msg = "the line to Redis was closed"
            raise RedisConnectionError(msg) from error


class _Tcp(_Steady, Connection): ...


class _Tls(_Steady, SSLConnection): ...


class _Unix(_Steady, UnixDomainSocketConnection): ...


_STEADY: dict[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}


def connect(url: str, *, patient: bool) -> Client:
    """Return a client over a pool of its own, which it does not close by itself: `open_pool`."""
    return typed(Redis(connection_pool=open_pool(url, patient=patient)))


def open_pool(url: str, *, patient: bool) -> ConnectionPool:
    """
    Return connections to *url*; nothing is sent before their first use.

    A *patient* one (workers) waits out an outage of about a minute per command, others give up
    after a second. Without time-outs and keepalive a frozen server or a half-open connection hangs
    a worker silently, and without OSError a refused connection is not tried again.
    """
    pool = ConnectionPool.from_url(
        url,
        socket_timeout=5,
        socket_connect_timeout=5,
        health_check_interval=15,
        retry=Retry(
            ExponentialBackoff(cap=0.5, base=0.02),
            retries=120 if patient else 4,
            supported_errors=_OUTAGES,  # type: ignore[arg-type] # OSError is what it lacks
        ),
        retry_on_error=list(_OUTAGES),
        **_keepalive(url),
    )
    pool.connection_class = _STEADY[pool.connection_class]  # `from_url` lets only the URL choose
    return pool


def _keepalive(url: str) -> dict[str, Any]:
    return {} if url.startswith("unix:") else {"socket_keepalive": True}


async def check_server(redis: Client, *, accept_unsafe: bool) -> list[str]:
    """
    Check that the server cannot lose or evict what it acknowledged; return warnings.

    Raises UnavailableError if it cannot be reached, InputError with one sentence if it is set up
    so that links could be lost and that was not accepted.
    """
    try:
        found = await _server_problems(redis)
    except ResponseError as error:
        found = [f"its configuration cannot be read ({error})"]
    except (RedisError, OSError) as error:
        msg = f"Redis cannot be reached ({type(error).__name__}): check CLAIMCAST_REDIS__URL."
        raise UnavailableError(msg) from error
    if found and not accept_unsafe:
        msg = (
            f"This Redis server can lose what it acknowledged: {'; '.join(found)}. Set it up so, "
            "or accept the risk with CLAIMCAST_UNSAFE_REDIS=1."
        )
        raise InputError(msg)
    return found


async def _server_problems(redis: Client) -> list[str]:
    info = await redis.info("server")
    version = str(info.get("valkey_version") or info["redis_version"])
    problems = []
    if int(version.partition(".")[0]) < _OLDEST:
        problems.append(f"version {version} is older than {_OLDEST}")
    if "cluster" in (info.get("redis_mode"), info.get("server_mode")):  # Valkey 9 has renamed it
        problems.append("it is a cluster, which arq cannot use")
    if (await redis.info("replication")).get("role") != "master":
        problems.append("it is a replica, which takes no writes and may lag behind")
    for name, value in _WANTED.items():
        actual = (await redis.config_get(name)).get(name)
        if actual != value:
            problems.append(f"{name} is {actual}, not {value}")
    return problems


async def syncs_of(redis: Client) -> EverySecond | None:
    """
    Return what waits until a write is on disk, for a server that does not see to that itself.

    None for one that does (`always`), and for one that never would: there is nothing to wait for.
    """
    try:
        found = await redis.config_get("append*")
    except ResponseError:
        found = {}  # a hosted server may keep its configuration to itself: the most usual one
        if (await redis.info("persistence")).get("aof_enabled"):
            found = {"appendonly": "yes", "appendfsync": "everysec"}
    late = found.get("appendonly") == "yes" and found.get("appendfsync") == "everysec"
    return EverySecond(redis) if late else None
