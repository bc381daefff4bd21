"""Connections to Redis that survive what arq's defaults do not, and the check of the server."""

import contextlib
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any

from arq.connections import ArqRedis
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

from pipeline.errors import InputError, UnavailableError
from pipeline.tasks import finish
from worker.wire import dump_job, load_job

_OUTAGES = (RedisConnectionError, RedisTimeoutError, BusyLoadingError, OSError)
_OLDEST = 7


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


def connect(url: str, *, patient: bool, queue: str = "claimcast") -> ArqRedis:
    """
    Return a client for *url*; nothing is sent before its first use.

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
    return ArqRedis(
        connection_pool=pool,
        job_serializer=dump_job,
        job_deserializer=load_job,
        default_queue_name=queue,
    )


@contextlib.asynccontextmanager
async def connection(url: str) -> AsyncIterator[ArqRedis]:
    """Open a patient client for the time of the block."""
    redis = connect(url, patient=True)
    try:
        yield redis
    finally:
        # The pool was handed to the client, which therefore does not close it by itself.
        await finish(redis.aclose(close_connection_pool=True))


def _keepalive(url: str) -> dict[str, Any]:
    return {} if url.startswith("unix:") else {"socket_keepalive": True}


async def check_server(redis: "Redis", *, accept_unsafe: bool) -> list[str]:
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


async def _server_problems(redis: "Redis") -> list[str]:
    info = await redis.info("server")
    version = str(info.get("valkey_version") or info["redis_version"])
    problems = []
    if int(re.match(r"\d+", version)[0]) < _OLDEST:  # type: ignore[index]
        problems.append(f"version {version} is older than {_OLDEST}")
    if info.get("redis_mode") == "cluster":
        problems.append("it is a cluster, which arq cannot use")
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
    for name, value in wanted.items():
        actual = (await redis.config_get(name)).get(name)
        if actual != value:
            problems.append(f"{name} is {actual}, not {value}")
    return problems
