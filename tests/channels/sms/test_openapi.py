"""
Every request of the channel against Twilio's own OpenAPI description.

The description is not ours to keep: the environment variable TWILIO_OPENAPI names a file with it.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from channels.sms import SmsChannel
from pipeline.domain.models import DeliveryKey, Message
from tests.channels.sms.servers import Request, a_record, twilio

DESCRIPTION = os.environ.get("TWILIO_OPENAPI", "")
LINK = "https://claim.example.com/c/abc"
MESSAGE = Message(
    key=DeliveryKey("k"),
    to="+4915112345678",
    content=LINK.encode(),
    callback="https://claims.example.com/webhooks/twilio/token",
    link=LINK,
)
SENDERS = [
    {"from_number": "+15005550006"},
    {"from_number": None, "messaging_service_sid": "MG00000000000000000000000000000000"},
]


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    if not DESCRIPTION:
        pytest.skip("TWILIO_OPENAPI names no file: the requests were not checked against it")
    found: dict[str, Any] = json.loads(Path(DESCRIPTION).read_bytes())
    return found


@pytest.mark.parametrize("sender", SENDERS)
async def test_every_request_is_one_that_twilio_describes(
    sender: dict[str, object], description: dict[str, Any]
) -> None:
    async with twilio() as server:
        server.listed.extend([a_record(body="x")] * 60)
        channel = SmsChannel(server.account(**sender))
        await channel.send(MESSAGE, lambda: None)
        await channel.look_up(MESSAGE, not_before=0.0)
        await channel.check()
        await channel.aclose()

    assert [request.method for request in server.requests] == ["POST", "GET", "GET", "GET"]
    for request in server.requests:
        assert list(mistakes(description, request)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/2010-04-01/Accounts/AC1/Messages.json"},
        {"path": "/2010-04-01/Messages.json"},
        {"form": {"From": "+1"}},
        {"form": {"To": "+1", "ValidityPeriod": "soon"}},
        {"form": {"To": "+1", "ContentRetention": "burn"}},
        {"form": {"To": "+1", "Text": "Hello"}},
    ],
)
def test_wrong_request_is_noticed(change: dict[str, Any], description: dict[str, Any]) -> None:
    path = f"/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"
    right: dict[str, Any] = {"path": path, "query": {}, "form": {"To": "+1"}, "headers": {}}

    assert not list(mistakes(description, Request("POST", **right)))
    assert list(mistakes(description, Request("POST", **(right | change))))


def mistakes(description: dict[str, Any], request: Request) -> list[str]:
    """Return what of *request* the description does not allow."""
    for template, item in description["paths"].items():
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        found = re.fullmatch(pattern, request.path)
        if found and request.method.lower() in item:
            operation = item[request.method.lower()]
            return [
                *_of_parameters(description, operation, "path", found.groupdict()),
                *_of_parameters(description, operation, "query", dict(request.query)),
                *_of_form(description, operation, dict(request.form)),
            ]
    return [f"{request.method} {request.path} is not described"]


def _of_parameters(
    description: dict[str, Any], operation: dict[str, Any], place: str, given: dict[str, str]
) -> list[str]:
    known = {each["name"]: each for each in operation["parameters"] if each["in"] == place}
    schemas = {name: each["schema"] for name, each in known.items()}
    required = [name for name, each in known.items() if each.get("required")]
    return _of_values(description, schemas, required, given)


def _of_form(
    description: dict[str, Any], operation: dict[str, Any], given: dict[str, str]
) -> list[str]:
    if "requestBody" not in operation:
        return [f"{name} in a body" for name in given]
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    return _of_values(description, schema["properties"], schema.get("required", []), given)


def _of_values(
    description: dict[str, Any],
    schemas: dict[str, Any],
    required: list[str],
    given: dict[str, str],
) -> list[str]:
    return [
        *(f"{name} is missing" for name in required if name not in given),
        *(f"{name} is not known" for name in given if name not in schemas),
        *(
            f"{name} is not allowed to be {text}"
            for name, text in given.items()
            if name in schemas and not _fits(description, schemas[name], text)
        ),
    ]


def _fits(description: dict[str, Any], schema: dict[str, Any], text: str) -> bool:
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "integer":
        return text.isdecimal() and _within(schema, int(text))
    if "enum" in schema and text not in schema["enum"]:
        return False
    return re.search(schema.get("pattern", ""), text) is not None and schema.get(
        "minLength", 0
    ) <= len(text) <= schema.get("maxLength", len(text))


def _within(schema: dict[str, Any], number: int) -> bool:
    return bool(schema.get("minimum", number) <= number <= schema.get("maximum", number))
