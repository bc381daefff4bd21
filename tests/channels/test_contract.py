"""
What every channel adapter promises the pipeline; each adapter passes all of it.

An adapter takes part by a `Harness`: a provider that can be told how to behave, and a channel that
talks to it over a socket.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pytest

from channels.registry import ADAPTERS
from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import (
    AbandonedError,
    BlockedError,
    ClaimcastError,
    InputError,
    PermanentError,
    UncertainError,
)
from pipeline.domain.models import ChannelName, Message, Recipient, ReturnPaths, delivery_key
from pipeline.domain.ports import Channel
from tests.channels.app import KEPT, App, app
from tests.channels.email.servers import HANG_UP, Script, always, mail_server
from tests.channels.sms.servers import HANG_UP as NO_ANSWER
from tests.channels.sms.servers import (
    Answer,
    Reply,
    Twilio,
    an_error,
    deaf_port,
    on_post,
    twilio,
)

Behaviour: TypeAlias = Literal["well", "refuses", "down", "drops after content"]

LINK = "https://claim.example.com/c/abc"


@dataclass
class Harness:
    channel: Channel
    arrived: list[bytes]
    """What the provider got hold of, whether it said so or not."""
    identity: Callable[[bytes], bytes]
    """Takes from what arrived that by which the provider could know a repetition."""


Setting = Callable[[Behaviour], AbstractAsyncContextManager[Harness]]


@asynccontextmanager
async def email(behaviour: Behaviour) -> AsyncIterator[Harness]:
    scripts: dict[Behaviour, Script] = {
        "refuses": always("RCPT", "550 5.1.1 no such user"),
        "down": always("CONNECT", HANG_UP),
        "drops after content": always("CONTENT", HANG_UP),
    }
    async with mail_server(scripts.get(behaviour, lambda verb, line: None)) as server:
        channel = ADAPTERS[ChannelName.EMAIL](server.settings())
        yield Harness(channel, server.mails, message_id)
        await channel.aclose()


@asynccontextmanager
async def sms(behaviour: Behaviour) -> AsyncIterator[Harness]:
    replies: dict[Behaviour, Reply] = {
        "refuses": an_error(21211),
        "drops after content": NO_ANSWER,
    }
    async with twilio(on_post(replies.get(behaviour))) as server:
        with deaf_port() as port:
            reached = Twilio(port=port) if behaviour == "down" else server
            channel = ADAPTERS[ChannelName.SMS](reached.account())
            async with aclosing(channel):
                yield Harness(channel, server.bodies, whole)


@asynccontextmanager
async def webhook(behaviour: Behaviour) -> AsyncIterator[Harness]:
    answers: dict[Behaviour, Reply] = {"refuses": Answer(422), "drops after content": NO_ANSWER}
    async with app(answers.get(behaviour, KEPT)) as server:
        with deaf_port() as port:
            reached = App(port=port) if behaviour == "down" else server
            async with aclosing(ADAPTERS[ChannelName.WEBHOOK](reached.target())) as channel:
                yield Harness(channel, server.raw, webhook_id)


def webhook_id(raw: bytes) -> bytes:
    return raw.partition(b"webhook-id: ")[2].partition(b"\r\n")[0]


def whole(raw: bytes) -> bytes:
    return raw


def message_id(raw: bytes) -> bytes:
    return raw.partition(b"Message-ID: ")[2].partition(b"\r\n")[0]


SETTINGS: Mapping[ChannelName, Setting] = {
    ChannelName.EMAIL: email,
    ChannelName.SMS: sms,
    ChannelName.WEBHOOK: webhook,
}


@pytest.fixture(params=ChannelName)
def setting(request: pytest.FixtureRequest) -> Setting:
    name: ChannelName = request.param
    assert name in SETTINGS, "no channel without what it promises"
    return SETTINGS[name]


def campaign(channel: Channel, **changes: str) -> Campaign:
    content = {
        "email": {"subject": "Reward", "text": "{{ name }}: {{ link }}"} | changes,
        "sms": {"body": "{{ name }}: {{ link }}"} | changes,
        "webhook": {"body": "Hello {{ name }}"} | changes,
    }
    return Campaign.model_validate(
        {
            "id": "camp",
            "name": "Camp",
            "reward": {"product_id": "CVS", "value": "10.00"},
            "delivery": {"channels": [channel.name]},
            channel.name: content[channel.name],
        }
    )


def a_message(channel: Channel, *, sent_at: float = 1e9) -> Message:
    ada = Recipient(id="r1", name="Ada", email="ada@example.com", phone="+4915112345678")
    key = delivery_key("camp", ada.id, channel.name)
    return channel.composer(campaign(channel)).compose(
        ada, LINK, key, sent_at=sent_at, returns=ReturnPaths()
    )


def cleared() -> None:
    """Let every message go."""


async def test_adapter_says_what_it_is(setting: Setting) -> None:
    async with setting("well") as harness:
        assert harness.channel.name in ADAPTERS
        assert harness.channel.connections >= 1
        assert await harness.channel.check()
        assert harness.arrived == []


async def test_message_arrives_with_its_link(setting: Setting) -> None:
    async with setting("well") as harness:
        await harness.channel.send(a_message(harness.channel), cleared)

        assert len(harness.arrived) == 1
        assert LINK.encode() in harness.arrived[0]


async def test_repeated_message_is_known_by_the_same_name(setting: Setting) -> None:
    async with setting("well") as harness:
        for sent_at in (1e9, 2e9):
            await harness.channel.send(a_message(harness.channel, sent_at=sent_at), cleared)

        first, second = map(harness.identity, harness.arrived)
        assert first == second != b""


async def test_refused_send_guard_passes_through_and_nothing_arrives(setting: Setting) -> None:
    abandoned = AbandonedError("lease_lost")

    def refused() -> None:
        raise abandoned

    async with setting("well") as harness:
        with pytest.raises(AbandonedError) as caught:
            await harness.channel.send(a_message(harness.channel), refused)

        assert caught.value is abandoned
        assert harness.arrived == []
        await harness.channel.send(a_message(harness.channel), cleared)
        assert len(harness.arrived) == 1


async def test_refused_recipient_is_permanent(setting: Setting) -> None:
    async with setting("refuses") as harness:
        with pytest.raises(PermanentError):
            await harness.channel.send(a_message(harness.channel), cleared)

        assert harness.arrived == []


async def test_provider_that_is_down_costs_the_recipient_nothing(setting: Setting) -> None:
    async with setting("down") as harness:
        with pytest.raises(BlockedError):
            await harness.channel.send(a_message(harness.channel), cleared)

        with pytest.raises(BlockedError):
            await harness.channel.check()


async def test_lost_answer_is_uncertain(setting: Setting) -> None:
    async with setting("drops after content") as harness:
        with pytest.raises(UncertainError):
            await harness.channel.send(a_message(harness.channel), cleared)

        assert len(harness.arrived) == 1


@pytest.mark.parametrize("behaviour", ["refuses", "down", "drops after content"])
async def test_failure_has_a_code_to_store_and_shows_no_secret(
    setting: Setting, behaviour: Behaviour
) -> None:
    async with setting(behaviour) as harness:
        with pytest.raises(ClaimcastError) as caught:
            await harness.channel.send(a_message(harness.channel), cleared)

    code = str(caught.value).partition(":")[0]
    assert 0 < len(code) <= 20
    assert "claim.example" not in str(caught.value)
    assert "ada@" not in str(caught.value)
    assert "4915112345678" not in str(caught.value)


async def test_many_at_once_all_arrive(setting: Setting) -> None:
    async with setting("well") as harness:
        message = a_message(harness.channel)
        sends = (harness.channel.send(message, cleared) for _ in range(100))
        await asyncio.gather(*sends)

        assert len(harness.arrived) == 100


async def test_closing_twice_is_fine_and_nothing_is_sent_afterwards(setting: Setting) -> None:
    async with setting("well") as harness:
        await harness.channel.send(a_message(harness.channel), cleared)
        await harness.channel.aclose()
        await harness.channel.aclose()

        with pytest.raises(BlockedError):
            await harness.channel.send(a_message(harness.channel), cleared)
        assert len(harness.arrived) == 1


async def test_template_that_cannot_be_used_is_refused_when_it_is_compiled(
    setting: Setting,
) -> None:
    async with setting("well") as harness:
        broken = {"text": "{{ link"} if harness.channel.name == "email" else {"body": "{{ link"}
        with pytest.raises(InputError, match="line 1"):
            harness.channel.composer(campaign(harness.channel, **broken))
