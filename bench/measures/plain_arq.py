"""
Plain arq at its best: one job per recipient, pooled connections, uvloop.

`python -m bench.measures.plain_arq REDIS_URL SMTP_PORT PEOPLE CONNECTIONS` queues everything, then
prints the seconds and CPU seconds from the worker's start to the last mail as JSON. It promises
nothing: links are given to it, in clear, nothing is recorded, and results are thrown away.
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop
from aiosmtplib import SMTP
from arq.connections import RedisSettings, create_pool
from arq.worker import Worker, func

from bench.measures.plain_mail import plain_mail
from bench.world.people import name_of

_MAX_JOBS = 100
_POLL_SECONDS = 0.02
_IN_FLIGHT = 50  # while queueing, which is not measured


async def send(ctx: dict[str, Any], to: str, name: str, link: str, answers: int) -> None:
    """Send one mail over one of the pooled connections."""
    pool: asyncio.Queue[SMTP] = ctx["pool"]
    client = await pool.get()
    try:
        await client.send_message(plain_mail(to, name, link, answers))
    finally:
        pool.put_nowait(client)


async def measure(url: str, port: int, people: int, connections: int) -> tuple[float, float]:
    """Return wall and CPU seconds; raises RuntimeError if a job failed."""
    redis = await create_pool(RedisSettings.from_dsn(url))
    numbers = iter(range(people))

    async def enqueue() -> None:
        for n in numbers:
            link = f"https://claim.sandbox.example/{n:022}"
            await redis.enqueue_job("send", f"person-{n}@example.com", name_of(n), link, n % 20)

    await asyncio.gather(*(enqueue() for _ in range(_IN_FLIGHT)))
    pool: asyncio.Queue[SMTP] = asyncio.Queue()
    for _ in range(connections):
        client = SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        await client.connect()
        pool.put_nowait(client)
    worker = Worker(
        [func(send, keep_result=0)],
        redis_pool=redis,
        burst=True,
        max_jobs=_MAX_JOBS,
        poll_delay=_POLL_SECONDS,
        log_results=False,
        handle_signals=False,
        ctx={"pool": pool},
    )
    wall, cpu = time.perf_counter(), time.process_time()
    await worker.async_run()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    if worker.jobs_complete != people:
        msg = f"{worker.jobs_complete} of {people} jobs were done, {worker.jobs_failed} failed"
        raise RuntimeError(msg)
    await worker.close()
    return spent


if __name__ == "__main__":
    redis_url, *numbers_given = sys.argv[1:]
    seconds, cpu_seconds = uvloop.run(measure(redis_url, *map(int, numbers_given)))
    json.dump({"seconds": seconds, "cpu": cpu_seconds}, sys.stdout)
