"""Refusals with headers of their own, and how every refusal looks as JSON."""

from email.utils import formatdate
from math import ceil
from time import time
from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.faults import Chaos, Faults


def unauthorized() -> HTTPException:
    words = "The credentials or the bearer token are missing, wrong or expired"
    return HTTPException(401, words, {"WWW-Authenticate": "Bearer"})


def too_many_requests(chaos: Chaos[Faults], key: str) -> HTTPException:
    """Return a 429 whose Retry-After is absent, in seconds, or a date (RFC 9110, 10.2.3)."""
    form: str = chaos.faults.retry_after
    if form == "mixed":
        form = chaos.pick(("none", "seconds", "date"), "retry_after", key)
    seconds = chaos.faults.retry_after_seconds
    forms = {"seconds": str(seconds), "date": formatdate(ceil(time() + seconds), usegmt=True)}
    headers = {"Retry-After": forms[form]} if form in forms else None
    return HTTPException(429, "Too many requests", headers)


async def as_json(_: Request, error: Exception) -> Response:
    """Show an HTTPException as `{"Message": words}`, the way the API words its refusals."""
    refusal = cast("HTTPException", error)
    return JSONResponse({"Message": refusal.detail}, refusal.status_code, refusal.headers)
