"""How jobs look in Redis: JSON, and results that do not keep their arguments."""

import json
from typing import Any

import structlog

log = structlog.get_logger()


class UnreadableJobError(ValueError):
    """A job's body is not JSON."""


def dump_job(job: dict[str, Any]) -> bytes:
    """
    Serialize a job or its result.

    arq stores a result together with the arguments; those of `submit_campaign` are people's
    addresses, which after intake rest only encrypted.
    """
    if "r" in job:
        job = {**job, "a": [], "k": {}}
    return json.dumps(job, default=_type_only).encode()


def _type_only(error: object) -> str:
    """Return what stands for an exception that a job ended with; its text may quote anything."""
    return type(error).__name__


def load_job(body: bytes) -> dict[str, Any]:
    """Read a job; one that cannot be read is reported, and arq ends it without another try."""
    try:
        job: dict[str, Any] = json.loads(body)
    except ValueError as error:
        log.error("job.unreadable", bytes=len(body))  # noqa: TRY400 - the body may hold addresses
        raise UnreadableJobError("unreadable") from error
    return job
