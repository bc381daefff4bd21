"""Trouble with Redis is logged once per cause."""

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ResponseError

from worker.executor.outage_log import Outage


def test_a_cause_is_logged_once_until_it_is_over() -> None:
    outage = Outage()
    lost = RedisConnectionError("at redis.example:6379")
    assert outage.describe_new(lost) == {"error": "ConnectionError"}
    assert outage.describe_new(lost) == {}
    assert outage.describe_new(OSError()) == {"error": "OSError"}
    outage.note_recovery()
    assert outage.describe_new(lost) == {"error": "ConnectionError"}


def test_a_server_that_refuses_to_write_comes_with_what_to_do() -> None:
    full = OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
    assert outage_words(full) == (
        "Redis has no memory left and refuses to write: raise its maxmemory"
    )
    stuck = ResponseError("MISCONF Errors writing to the AOF file: No space left on device")
    assert outage_words(stuck).startswith("Redis cannot write its append-only file")
    assert outage_words(ResponseError("WRONGTYPE of a key")) == ""


def outage_words(error: ResponseError) -> str:
    return Outage().describe_new(error).get("why", "")
