"""arq's queues over connections of our own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from arq.connections import ArqRedis

from pipeline.domain.tasks import finish
from pipeline.store.keys import SUBMIT_QUEUE
from worker.executor.serializer import dump_job, load_job
from worker.wiring.redis import open_pool


def connect_queue(url: str, *, queue: str = SUBMIT_QUEUE) -> ArqRedis:
    """Return a patient client (`worker.wiring.redis.open_pool`) with the verbs of arq."""
    return ArqRedis(
        connection_pool=open_pool(url, patient=True),
        job_serializer=dump_job,
        job_deserializer=load_job,
        default_queue_name=queue,
    )


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[ArqRedis]:
    """Open a patient client for the time of the block."""
    redis = connect_queue(url)
    try:
        yield redis
    finally:
        # The pool was handed to the client, which therefore does not close it by itself.
        await finish(redis.aclose(close_connection_pool=True))
