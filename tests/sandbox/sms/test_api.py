"""The SMS API, as a client of Twilio's sees it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from sandbox.faults import SmsFaults
from sandbox.options import SmsOptions
from tests.sandbox.driving import Customer, StartSandbox
from tests.sandbox.sms.texting import (
    DEFAULTS,
    LINK,
    LOGIN,
    MESSAGES,
    SENDER,
    fetched,
    listed,
    text,
)
from tests.support.waiting import wait_until

AT_ONCE = SmsOptions(sent_after=0, delivered_after=0)


async def test_message_is_created_as_twilio_shows_it(start: StartSandbox) -> None:
    customer = await start(sms=SmsOptions(sent_after=3600))

    answer = await text(customer)
    message = answer.json()

    assert answer.status_code == 201
    assert message["sid"].startswith("SM")
    assert len(message["sid"]) == 34
    assert (message["status"], message["to"], message["from"]) == (
        "queued",
        "+4915112345678",
        SENDER,
    )
    assert message["body"] == f"Hallo Zoë: {LINK}."
    assert message["date_created"].endswith("+0000")
    assert message["date_sent"] is None
    assert message == await fetched(customer, message["sid"])


async def test_messaging_service_accepts_and_chooses_the_sender(start: StartSandbox) -> None:
    customer = await start(sms=SmsOptions(sent_after=3600))
    service = "MG00000000000000000000000000000000"

    message = (await text(customer, From="", MessagingServiceSid=service)).json()

    assert (message["status"], message["from"]) == ("accepted", None)
    assert message["messaging_service_sid"] == service


async def test_message_moves_on_with_time(start: StartSandbox) -> None:
    customer = await start(sms=SmsOptions(sent_after=0.05, delivered_after=0.05))
    sid = (await text(customer)).json()["sid"]
    seen: list[str] = []

    async def delivered() -> bool:
        seen.append((await fetched(customer, sid))["status"])
        return seen[-1] == "delivered"

    await wait_until(delivered)

    order = ["queued", "sent", "delivered"]
    assert seen == sorted(seen, key=order.index)
    assert (await fetched(customer, sid))["date_sent"] is not None


@pytest.mark.parametrize("login", [("", ""), (DEFAULTS.account_sid, "wrong"), ("AC1", "x")])
async def test_wrong_login_is_refused(start: StartSandbox, login: tuple[str, str]) -> None:
    customer = await start()

    answer = await customer.http.post(MESSAGES, data={"To": "+1"}, auth=login)

    assert answer.status_code == 401
    assert answer.json() == {
        "code": 20003,
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }


async def test_other_account_and_other_message_are_not_found(start: StartSandbox) -> None:
    customer = await start()

    for path in ("/2010-04-01/Accounts/AC1/Messages.json", MESSAGES.replace(".json", "/SM1.json")):
        answer = await customer.http.get(path, auth=LOGIN)
        assert (answer.status_code, answer.json()["code"]) == (404, 20404)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"To": ""}, 21604),
        ({"To": "015112345678"}, 21211),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550002"}, 21612),
        ({"To": "+15005550003"}, 21408),
        ({"To": "+15005550004"}, 21610),
        ({"To": "+15005550009"}, 21614),
    ],
)
async def test_mistakes_and_magic_numbers_have_twilios_codes(
    start: StartSandbox, form: dict[str, str], code: int
) -> None:
    customer = await start()

    answer = await text(customer, **{"to": form.pop("To", "+4915112345678"), **form})

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert customer.sandbox.messages.count() == 0


@pytest.mark.parametrize(("to", "code"), [("+15007771234", 30005), ("+15007781234", 30003)])
async def test_magic_prefix_is_never_delivered(start: StartSandbox, to: str, code: int) -> None:
    customer = await start(sms=AT_ONCE)

    message = await fetched(customer, (await text(customer, to)).json()["sid"])

    assert (message["status"], message["error_code"]) == ("undelivered", code)


async def test_magic_prefix_loses_its_first_answer(start: StartSandbox) -> None:
    customer = await start()

    with pytest.raises(httpx.TransportError):
        await text(customer, "+15007761234")

    assert customer.sandbox.messages.count() == 1
    assert (await text(customer, "+15007761234")).status_code == 201


@pytest.mark.parametrize(
    ("fault", "status", "accepted"),
    [("sms_429", 429, 0), ("sms_500_before", 500, 0), ("sms_500_after", 500, 1)],
)
async def test_each_fault_answers_and_accepts_as_it_says(
    start: StartSandbox, fault: str, status: int, accepted: int
) -> None:
    customer = await start()
    await customer.control("sms-faults", {fault: 1}, "POST")

    answer = await text(customer)

    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert customer.sandbox.messages.count() == accepted


async def test_reset_comes_after_the_message_is_accepted(start: StartSandbox) -> None:
    customer = await start(sms=SmsOptions(faults=SmsFaults(sms_reset_after=1)))

    with pytest.raises(httpx.TransportError):
        await text(customer)

    assert customer.sandbox.messages.count() == 1


@pytest.mark.parametrize("seconds", [0, 7])
async def test_429_says_how_long_to_wait_if_asked_to(start: StartSandbox, seconds: int) -> None:
    faults = SmsFaults(sms_429=1, retry_after_seconds=seconds)
    customer = await start(sms=SmsOptions(faults=faults))

    answer = await text(customer)

    assert answer.json()["code"] == 20429
    assert answer.headers.get("Retry-After") == (str(seconds) if seconds else None)


@pytest.mark.parametrize("code", [30003, 30005, 30006, 30007])
async def test_share_of_messages_is_undelivered(start: StartSandbox, code: int) -> None:
    faults = SmsFaults.model_validate({f"undelivered_{code}": 1})
    customer = await start(sms=SmsOptions(sent_after=0, delivered_after=0, faults=faults))

    message = await fetched(customer, (await text(customer)).json()["sid"])

    assert (message["status"], message["error_code"]) == ("undelivered", code)


async def test_same_seed_hits_the_same_numbers(start: StartSandbox, tmp_path: Path) -> None:
    faults = SmsFaults(sms_429=0.4, sms_500_before=0.4)
    numbers = [f"+49151123456{number}" for number in range(10, 30)]

    async def statuses(name: str, order: list[str], seed: int) -> dict[str, int]:
        directory = tmp_path / name
        customer = await start(directory=directory, seed=seed, sms=SmsOptions(faults=faults))
        return {to: (await text(customer, to)).status_code for to in order}

    first = await statuses("a", numbers, 7)

    assert set(first.values()) == {201, 429, 500}
    assert await statuses("b", numbers[::-1], 7) == first
    assert await statuses("c", numbers, 8) != first


async def test_list_is_newest_first_in_pages(start: StartSandbox) -> None:
    customer = await start()
    sids = [(await text(customer)).json()["sid"] for _ in range(5)]
    await text(customer, "+4915100000000")

    page = await listed(customer, To="+4915112345678", PageSize=2)
    found = [message["sid"] for message in page["messages"]]
    assert page["previous_page_uri"] is None
    while page["next_page_uri"]:
        page = (await customer.http.get(page["next_page_uri"], auth=LOGIN)).json()
        found += [message["sid"] for message in page["messages"]]

    assert found == sids[::-1]
    assert (page["page"], page["start"], page["end"]) == (2, 4, 4)


async def test_list_is_filtered_by_sender_and_day(start: StartSandbox) -> None:
    customer = await start(sms=AT_ONCE)
    await text(customer)
    today = datetime.now(UTC).date()
    days = {number: str(today + timedelta(days=number)) for number in (-2, 2)}

    async def count(**query: str) -> int:
        return len((await listed(customer, **query))["messages"])

    assert await count(From=SENDER) == 1
    assert await count(From="+15005550000") == 0
    assert await count(**{"DateSent>": days[-2], "DateSent<": days[2]}) == 1
    assert await count(**{"DateSent>": days[2]}) == 0
    assert await count(**{"DateSent<": days[-2]}) == 0
    assert await count(DateSent=days[2]) == 0


async def test_message_that_is_not_sent_yet_passes_no_filter_by_day(start: StartSandbox) -> None:
    customer = await start(sms=SmsOptions(sent_after=3600))
    await text(customer)

    day = str(datetime.now(UTC).date() - timedelta(days=1))
    assert (await listed(customer, **{"DateSent>": day}))["messages"] == []
    assert len((await listed(customer))["messages"]) == 1


async def test_list_may_fail(start: StartSandbox) -> None:
    customer = await start(sms=SmsOptions(faults=SmsFaults(list_500=True)))

    answer = await customer.http.get(MESSAGES, auth=LOGIN)

    assert answer.status_code == 500


async def test_control_shows_messages_with_their_links(start: StartSandbox) -> None:
    customer = await start(sms=AT_ONCE)
    for number in (1, 2):
        await text(customer, f"+491511234567{number}", StatusCallback="https://x.example/cb")

    first, second = await customer.control("sms")

    assert first["to"] == "+4915112345671"
    assert first["links"] == [LINK]
    assert (first["status"], first["callback"]) == ("delivered", "https://x.example/cb")
    assert await customer.control(f"sms?since={first['seq']}") == [second]
    assert await customer.control("sms?limit=1") == [first]


async def test_account_is_there_again_after_a_restart(start: StartSandbox, tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    before = await start(directory=directory)
    sid = (await text(before)).json()["sid"]
    await stop(before, "+4915112345678")

    after = await start(directory=directory)

    assert (await fetched(after, sid))["sid"] == sid
    assert (await text(after)).json()["code"] == 21610


async def stop(customer: Customer, number: str) -> None:
    await customer.control("sms/inbound", {"from": number, "body": " stop "}, "POST")


async def test_a_person_who_said_stop_gets_nothing_until_they_say_start(
    start: StartSandbox,
) -> None:
    customer = await start()
    await stop(customer, "+4915112345678")

    assert (await text(customer)).json()["code"] == 21610
    assert (await text(customer, "+4915112345679")).status_code == 201

    await customer.control("sms/inbound", {"from": "+4915112345678", "body": "Start"}, "POST")
    assert (await text(customer)).status_code == 201


async def test_inbound_message_without_a_sender_is_a_mistake(start: StartSandbox) -> None:
    customer = await start()

    answer = await customer.http.post("/_sandbox/sms/inbound", json={"body": "STOP"})

    assert answer.status_code == 400
