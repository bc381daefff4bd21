"""The page of webhooks: the post, its check and its answers are those of the channel."""

import json
import re
import time
from contextlib import aclosing

import pytest

from channels.webhook import WebhookChannel, classify_response
from pipeline.callbacks.dsn import LARGEST
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import BlockedError, DeliveryError, PermanentError, TransientError
from pipeline.domain.models import ChannelName, Recipient, delivery_key
from tests.channels.app import SECRET, app, body_of, headers_of
from tests.docs.documents import document
from tests.support.root import ROOT
from worker.web.bodies import LARGEST_BODY

PAGE = document("docs/integrate/webhooks.md")
MEANINGS: dict[str, tuple[type[DeliveryError] | None, bool]] = {
    "2xx": (None, False),
    "5xx, 408, 429": (TransientError, False),
    "3xx, 404, 405": (BlockedError, False),
    "401, 403, 410": (BlockedError, True),
    "any other 4xx": (PermanentError, False),
}


async def posted() -> bytes:
    """Return the request that the channel makes of the page's example."""
    [document] = [json.loads(text) for text in PAGE.code("json")]
    campaign = Campaign.model_validate(
        {
            "id": document["campaign"],
            "name": "Any",
            "reward": {"product_id": "CVS", "value": "10.00"},
            "delivery": {"channels": ["webhook"]},
            "webhook": {"title": document["title"], "body": "Thank you, {{ name }}!"},
        }
    )
    person = Recipient(id=document["recipient"], name="Zoë")
    key = delivery_key(campaign.id, person.id, ChannelName.WEBHOOK)
    async with app() as server, aclosing(WebhookChannel(server.target())) as channel:
        composer = channel.composer(campaign)
        message = composer.compose(person, document["link"], key, sent_at=time.time())
        await channel.send(message, lambda: None)
        return server.raw[0]


async def test_the_post_is_the_one_of_the_page() -> None:
    [text] = PAGE.code("json")
    raw = await posted()
    assert json.loads(body_of(raw)) == json.loads(text)
    members = PAGE.text.split("| member |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", members, re.MULTILINE) == list(json.loads(text))
    headers = PAGE.text.split("| header |")[1].split("\n\n")[0]
    named = re.findall(r"^\| `([\w-]+)` \|", headers, re.MULTILINE)
    assert {name.lower() for name in named} <= headers_of(raw).keys()


async def test_the_check_of_the_page_tells_what_is_genuine() -> None:
    names: dict[str, object] = {}
    [program] = PAGE.code("python")
    exec(program, names)  # noqa: S102 - it is ours
    is_genuine = names["is_genuine"]
    assert callable(is_genuine)
    raw = await posted()
    headers, body = headers_of(raw), body_of(raw)
    assert is_genuine(SECRET, headers, body)
    assert not is_genuine(SECRET, headers, body + b" ")
    assert not is_genuine("whsec_" + "b" * 32, headers, body)
    old = str(int(headers["webhook-timestamp"]) - 600)
    assert not is_genuine(SECRET, {**headers, "webhook-timestamp": old}, body)


def statuses(words: str) -> list[int]:
    if words == "any other 4xx":
        return [400, 402, 406, 409, 413, 422, 451]
    found = [int(number) for number in re.findall(r"\d{3}", words)]
    for hundred in re.findall(r"(\d)xx", words):
        found += range(int(hundred) * 100, int(hundred) * 100 + 10)
    return found


@pytest.mark.parametrize("words", MEANINGS)
def test_an_answer_means_what_the_page_says(words: str) -> None:
    assert f"| {words} |" in PAGE.text
    kind, fatal = MEANINGS[words]
    for status in statuses(words):
        error = classify_response(status, {})
        assert type(error) is (kind or type(None)), status
        assert getattr(error, "fatal", False) is fatal, status


def test_every_address_is_there() -> None:
    source = (ROOT / "worker" / "web" / "application.py").read_text("utf-8")
    routes = [" ".join(found) for found in re.findall(r'_route\("(\w+)", "([^"]+)"', source)]
    assert len(routes) > 5
    there = re.findall(r"^\| `((?:GET|POST) /[^`]*)` \|", PAGE.text, re.MULTILINE)
    assert sorted(there) == sorted(routes)


def test_the_largest_bodies_are_those_of_the_code() -> None:
    assert LARGEST_BODY == 64 * 1024
    assert "A body may have 64 KiB, a bounce 1 MiB" in PAGE.text
    assert LARGEST == 1024 * 1024
