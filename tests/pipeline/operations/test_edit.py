"""An edit of a running campaign: composed for everybody first, one text per person, repeatable."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from pipeline.domain.campaign import Campaign
from pipeline.domain.campaign_versions import version_at
from pipeline.domain.errors import InputError
from pipeline.domain.models import DeliveryKey, FactKind, Message, Recipient, ReturnPaths
from pipeline.intake.submission import DifferentContentError, Submission
from pipeline.operations.edit import change_of, check_editable, make_change, on_the_wire
from pipeline.store.deliveries import Fact, IntentRequest
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.timeline import Timelines
from tests.pipeline.channel import ScriptedChannel
from tests.pipeline.intake.builders import a_campaign as an_intake_campaign
from tests.pipeline.intake.builders import an_intake
from tests.pipeline.ledger import (
    EMAIL,
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    people,
    submit,
    taken,
)
from tests.pipeline.stages.stage_worker import sending
from tests.support.waiting import wait_until

ROWS = ["r0,p0@example.com", "r1,p1@example.com"]


def titled(subject: str, **more: Any) -> Campaign:  # noqa: ANN401 - see a_campaign
    return a_campaign(email={"subject": subject, "text": "{{ link }}"}, **more)


async def edited(ledger: Ledger, serial: str, wanted: Campaign) -> int:
    """Pause, edit and resume, as fast as a script can."""
    await ledger.campaigns.steer(serial, "pause")
    snapshot = await ledger.campaigns.snapshot(serial)
    check_editable(snapshot)
    change = await change_of(ledger.campaigns, snapshot, wanted)
    version = await make_change(ledger.campaigns, snapshot, wanted, change)
    await ledger.campaigns.steer(serial, "resume")
    return version


# What may be changed ----------------------------------------------------------------------------


async def test_what_was_settled_with_the_submit_is_refused_by_its_keys(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 1)
    snapshot = await ledger.campaigns.snapshot(serial)
    other = a_campaign(name="Other", reward={"product_id": "CVS", "value": "9.00"})
    with pytest.raises(InputError, match=r'^name, reward\.value differ from what campaign "c"'):
        await change_of(ledger.campaigns, snapshot, other)


async def test_nothing_differs_from_the_same_file(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 1)
    snapshot = await ledger.campaigns.snapshot(serial)
    assert (await change_of(ledger.campaigns, snapshot, a_campaign())).keys == ()


async def test_a_campaign_that_runs_is_to_be_paused_first(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 1)
    with pytest.raises(InputError, match="claimcast pause c"):
        check_editable(await ledger.campaigns.snapshot(serial))


async def test_a_campaign_that_was_cancelled_is_not_edited(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), 1)
    await ledger.campaigns.steer(serial, "cancel")
    with pytest.raises(InputError, match="has ended"):
        check_editable(await ledger.campaigns.snapshot(serial))


async def test_the_slower_of_two_edits_is_refused_and_changes_nothing(ledger: Ledger) -> None:
    serial = await submit(ledger, titled("one"), 1)
    await ledger.campaigns.steer(serial, "pause")
    snapshot = await ledger.campaigns.snapshot(serial)
    mine, theirs = titled("mine"), titled("theirs")
    change = await change_of(ledger.campaigns, snapshot, mine)
    await make_change(ledger.campaigns, snapshot, theirs, change)

    with pytest.raises(InputError, match="Somebody else has edited"):
        await make_change(ledger.campaigns, snapshot, mine, change)

    assert await ledger.campaigns.definition(serial) == theirs


async def test_an_edit_of_a_campaign_resumed_meanwhile_changes_nothing(ledger: Ledger) -> None:
    serial = await submit(ledger, titled("one"), 1)
    await ledger.campaigns.steer(serial, "pause")
    snapshot = await ledger.campaigns.snapshot(serial)
    change = await change_of(ledger.campaigns, snapshot, titled("two"))
    await ledger.campaigns.steer(serial, "resume")

    with pytest.raises(InputError, match="is not paused"):
        await make_change(ledger.campaigns, snapshot, titled("two"), change)

    assert await ledger.campaigns.definition(serial) == titled("one")


# In flight --------------------------------------------------------------------------------------


class TitledComposer:
    """Composes messages that consist of their subject."""

    def __init__(self, subject: str) -> None:
        self._subject = subject.encode()

    def compose(
        self,
        recipient: Recipient,
        link: str,
        key: DeliveryKey,
        *,
        sent_at: float,
        returns: ReturnPaths,
    ) -> Message:
        return Message(key=key, to=recipient.email, content=self._subject, link=link)


@dataclass
class TitledChannel(ScriptedChannel):
    """A channel whose messages show the version that they were made from."""

    def composer(self, campaign: Campaign) -> TitledComposer:  # type: ignore[override] # a Composer
        assert campaign.email is not None
        return TitledComposer(campaign.email.subject)


async def versions(ledger: Ledger, serial: str) -> dict[str, int]:
    """Return the version that the ledger has for each person's message."""
    fields = await ledger.counters(serial)
    found = await ledger.deliveries.read(serial, 1)
    return {
        f"person{index}@example.com": version_at(
            CampaignSnapshot("1", fields, 0).version_starts(),
            int(fields["t0"]) + record.started_ms,
        )
        for index, (record,) in found.items()
    }


async def test_an_intent_in_flight_at_the_edit_keeps_its_version_and_the_rest_the_new_one(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, a_campaign(email=_holding("1")), [people(9)])
    await ledger.batches.release(await fulfilled(ledger, serial), delay=0)
    channel = TitledChannel(connections=1)
    channel.gate.clear()
    async with sending(ledger, channel) as worker:
        working = asyncio.create_task(worker.work_once(serial))
        await wait_until(lambda: channel.on_the_wire == 1)

        async def two_intended() -> bool:
            return await ledger.counted(serial, "d:sending") == [2]

        await wait_until(two_intended)
        assert await edited(ledger, serial, a_campaign(email=_holding("2"))) == 2
        channel.gate.set()
        await working
        assert [message.content for message in channel.sent] == [b"1", b"1"]
        await worker.work_once(serial)

    sent = {message.to: int(message.content) for message in channel.sent}
    assert len(channel.sent) == len(sent) == 9
    assert sorted(sent.values()) == [1] * 2 + [2] * 7
    assert sent == await versions(ledger, serial)
    await assert_sound(ledger, serial)


def _holding(subject: str) -> dict[str, str]:
    # With this policy few intents run ahead of the sending.
    return {"subject": subject, "text": "{{ link }}", "on_uncertain": "hold"}


async def test_an_uncertain_message_is_repeated_with_the_new_text_and_the_same_key_and_link(
    ledger: Ledger,
) -> None:
    serial = await submit(ledger, titled("1"), [people(1)])
    await ledger.batches.release(await fulfilled(ledger, serial), delay=0)
    tries: list[Message] = []

    def answer(message: Message) -> Exception | None:
        tries.append(message)
        return RuntimeError() if len(tries) == 1 else None  # where it failed is unknown

    channel = TitledChannel(answer=answer)
    async with sending(ledger, channel) as worker:
        await worker.work_once(serial)
        assert await ledger.counted(serial, "d:uncertain") == [1]
        await edited(ledger, serial, titled("2"))
        await _let_time_pass(ledger, serial)
        await worker.work_once(serial)

    first, second = tries
    assert [first.content, second.content] == [b"1", b"2"]
    assert (first.key, first.link, first.to) == (second.key, second.link, second.to)
    assert await versions(ledger, serial) == {"person0@example.com": 2}


async def _let_time_pass(ledger: Ledger, serial: str) -> None:
    """Let the delay of the one delivery be over."""
    text = (await ledger.redis.hget(f"cc:{serial}:d:1", "0") or b"").decode()
    parts = text.split(".")
    parts[4] = "0"
    await ledger.redis.hset(f"cc:{serial}:d:1", "0", ".".join(parts))


async def test_it_waits_for_what_is_on_the_wire_but_not_for_ever(ledger: Ledger) -> None:
    serial = await submit(ledger, titled("1"), [people(2)])
    claim = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(claim, [IntentRequest(0, EMAIL, 0)])
    assert await on_the_wire(ledger.campaigns, serial, patience=0.05) == 1

    waiting = asyncio.create_task(on_the_wire(ledger.campaigns, serial, patience=600))
    await asyncio.sleep(0)
    await ledger.deliveries.record({(serial, 1): [Fact(0, EMAIL, 1, FactKind.SENT)]})
    assert await waiting == 0


async def test_the_timeline_says_which_version_went_out(ledger: Ledger) -> None:
    serial = await submit(ledger, titled("1"), [people(2)])
    claim = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(claim, [IntentRequest(0, EMAIL, 0)])
    await ledger.deliveries.record({(serial, 1): [Fact(0, EMAIL, 1, FactKind.SENT)]})
    await ledger.batches.release(claim, delay=0)
    timelines = Timelines(ledger.pages, ledger.campaigns, ledger.vault)

    async def story(recipient: str) -> tuple[int | None, list[str]]:
        document = await timelines.of(await ledger.campaigns.snapshot(serial), recipient)
        (delivery,) = document["deliveries"]
        return delivery["version"], [each["event"] for each in document["events"]]

    assert "email: attempt 1 started" in (await story("r-0"))[1]
    await edited(ledger, serial, titled("2"))
    claim = await taken(ledger, serial, nonce="other")
    assert (await story("r-1"))[0] is None
    await ledger.deliveries.intend(claim, [IntentRequest(1, EMAIL, 0)])

    (first, before), (second, behind) = await story("r-0"), await story("r-1")
    assert (first, second) == (1, 2)
    assert "email: attempt 1 started with version 1" in before
    assert "email: attempt 1 started with version 2" in behind
    assert "the campaign was edited: version 2" in behind


# The same command again -------------------------------------------------------------------------


def submission(ledger: Ledger, campaign: Campaign) -> Submission:
    intake = an_intake("\n".join(["id,email", *ROWS]), campaign)
    return Submission(
        ledger.intake_ledger(100),
        campaign,
        intake,
        expected_rows=len(ROWS),
        actor="tester",
    )


async def test_a_submit_goes_on_with_the_file_of_any_version_and_changes_none(
    ledger: Ledger,
) -> None:
    files = [an_intake_campaign(email={"subject": str(n), "text": "{{ link }}"}) for n in range(4)]
    serial = (await submission(ledger, files[0]).run()).serial
    for campaign in files[1:3]:
        await edited(ledger, serial, campaign)

    for campaign in files[:3]:
        assert not (await submission(ledger, campaign).run()).created
    assert await ledger.campaigns.definition(serial) == files[2]
    with pytest.raises(DifferentContentError, match=r"`email.subject` differs.*claimcast edit"):
        await submission(ledger, files[3]).run()


async def test_what_no_edit_can_change_still_differs(ledger: Ledger) -> None:
    first = an_intake_campaign()
    serial = (await submission(ledger, first).run()).serial
    await edited(ledger, serial, an_intake_campaign(limits={"email": "1/s"}))
    other = an_intake_campaign(reward={"product_id": "CVS", "value": "9.00"})
    with pytest.raises(DifferentContentError, match=r"\[reward\], \[limits\] differ. Use another"):
        await submission(ledger, other).run()
