"""How Twilio refuses, and the numbers that it always refuses or that meet a known fate."""

from http import HTTPStatus
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

MAGIC = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
"""Twilio's own test numbers, which are refused with these codes."""

LOST_FIRST = "+1500776"
"""The first message to each number that starts so is accepted, but its answer is lost."""

UNDELIVERED = {"+1500777": 30005, "+1500778": 30003}
"""What is sent to numbers that start so never arrives, with these codes."""

_WORDS = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "Internal Server Error",
    21211: "The 'To' number {to} is not a valid phone number.",
    21408: "Permission to send an SMS has not been enabled for the region of {to}.",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21610: "Attempt to send to unsubscribed recipient",
    21612: "The 'To' phone number {to} is not currently reachable using the 'From' number.",
    21614: "'To' number {to} is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit.",
}


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """One of Twilio's errors; `retry_after` is in seconds, 0 sends no such header."""

    def __init__(
        self, code: int, status: int = 400, *, to: str = "", retry_after: int = 0
    ) -> None:
        words = _WORDS.get(code, HTTPStatus(status).phrase).format(to=to)
        super().__init__(words)
        self.headers = {"Retry-After": str(retry_after)} if retry_after else None
        self.status = status
        self.body = {
            "code": code,
            "message": words,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }


async def as_twilio_json(_: Request, error: Exception) -> Response:
    """Show a Refusal the way Twilio words its errors."""
    refusal = cast("Refusal", error)
    return JSONResponse(refusal.body, refusal.status, refusal.headers)
