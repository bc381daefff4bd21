"""Each fault of the rewards API, and that the dice fall the same way again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.faults import KINDS, Chaos, Faults, MailFaults, SmsFaults, Switches
from sandbox.options import MailOptions, SmsOptions
from tests.sandbox.driving import Customer, StartSandbox, urls
from tests.support.waiting import wait_until


async def test_504_after_commit_leaves_the_order_behind(start: StartSandbox) -> None:
    customer = await start(faults=Faults(order_504_after_commit=1))

    lost = await customer.order()
    again = await customer.order()

    assert (lost.status_code, again.status_code) == (504, 409)
    assert (await customer.control("account"))["totals"]["orders"] == 1


async def test_reset_after_commit_leaves_the_order_behind(start: StartSandbox) -> None:
    customer = await start(faults=Faults(order_reset_after_commit=1))

    with pytest.raises(httpx.TransportError):
        await customer.order()

    assert (await customer.order()).status_code == 409


async def test_500_comes_before_the_commit(start: StartSandbox) -> None:
    customer = await start(faults=Faults(order_500=1))

    assert (await customer.order()).status_code == 500
    assert (await customer.control("account"))["totals"]["orders"] == 0


@pytest.mark.parametrize("form", ["none", "seconds", "date"])
async def test_429_has_retry_after_in_the_form_asked_for(start: StartSandbox, form: str) -> None:
    faults = Faults.model_validate(
        {"order_429": 1, "read_429": 1, "retry_after": form, "retry_after_seconds": 7}
    )
    customer = await start(faults=faults)

    began = time.time()
    for answer in (await customer.order(), await customer.get("/v1/Products")):
        assert answer.status_code == 429
        header = answer.headers.get("Retry-After")
        if form == "none":
            assert header is None
        elif form == "seconds":
            assert header == "7"
        else:
            date = parsedate_to_datetime(header).timestamp()
            assert began + 7 - 2 <= date <= time.time() + 7 + 1


@pytest.mark.parametrize(("fault", "status"), [("read_500", 500), ("read_404", 404)])
async def test_read_of_an_order_fails(start: StartSandbox, fault: str, status: int) -> None:
    customer = await start()
    order = (await customer.order()).json()
    await customer.faults(**{fault: 1})

    answer = await customer.get(f"/v1/Orders/{order['Id']}")

    assert answer.status_code == status


async def test_token_request_times_out(start: StartSandbox) -> None:
    customer = await start(faults=Faults(token_504=1))

    assert (await customer.log_in()).status_code == 504


async def test_token_expires_early_and_a_new_one_helps(start: StartSandbox) -> None:
    customer = await start()
    assert (await customer.order("PO-1")).status_code == 201
    await customer.faults(token_expires_early=1)
    assert (await customer.order("PO-2")).status_code == 401
    await customer.faults(token_expires_early=0)

    assert (await customer.order("PO-2")).status_code == 401
    await customer.log_in()
    assert (await customer.order("PO-2")).status_code == 201


async def test_burst_refuses_everything_for_a_while(start: StartSandbox, tmp_path: Path) -> None:
    customer = await start()
    await customer.log_in()
    await customer.faults(burst_500=1, burst_seconds=3600)
    assert (await customer.get("/v1/Products")).status_code == 503
    await customer.faults(burst_500=0)
    assert (await customer.order()).status_code == 503

    customer = await start(directory=tmp_path / "another")
    await customer.log_in()
    await customer.faults(burst_500=1, burst_seconds=0.2)
    assert (await customer.get("/v1/Products")).status_code == 503
    await customer.faults(burst_500=0)

    async def over() -> bool:
        return (await customer.get("/v1/Products")).status_code == 200

    await wait_until(over)


async def test_slow_answer_comes_after_the_commit(start: StartSandbox) -> None:
    customer = await start(faults=Faults(slow=1, slow_seconds=3600))

    with pytest.raises(httpx.ReadTimeout):
        await customer.http.post(
            "/v1/Orders",
            json={
                "Type": "Links",
                "PONumber": "PO-1",
                "LineItems": [{"ProductId": "CVS", "Value": 5, "Quantity": 1}],
            },
            headers={"Authorization": f"Bearer {(await customer.log_in()).json()['Value']}"},
            timeout=httpx.Timeout(60, read=0.3),
        )

    async def committed() -> bool:
        return bool((await customer.control("account"))["totals"]["orders"] == 1)

    await wait_until(committed)


async def test_failed_order_shows_no_links_and_costs_nothing(start: StartSandbox) -> None:
    fails = Faults(order_fails=1)
    customer = await start(faults=fails, async_above=0, async_delay=0.05, funds=Decimal(100))
    answer = await customer.order()
    assert answer.json()["Status"] == "Pending"

    async def failed() -> bool:
        return bool((await customer.read(answer))["Status"] == "Failed")

    await wait_until(failed)
    account = await customer.control("account")
    assert (account["totals"]["links"], account["totals"]["value"]) == (0, "0")
    assert account["funds"] == "100"


async def test_short_order_stays_short(start: StartSandbox) -> None:
    customer = await start(faults=Faults(short_order=1))
    answer = await customer.order()

    for _ in range(3):
        assert len(urls(await customer.read(answer))) == 2


async def test_missing_link_appears_after_some_reads(start: StartSandbox) -> None:
    customer = await start(faults=Faults(short_order=1, short_reads=2))
    answer = await customer.order()

    shown = [len(urls(await customer.read(answer))) for _ in range(4)]

    assert len(urls(answer.json())) == 2
    assert shown == [2, 2, 3, 3]


async def test_order_repeats_one_of_its_links(start: StartSandbox) -> None:
    customer = await start(faults=Faults(duplicate_link=1))

    links = urls((await customer.order()).json())

    assert (len(links), len(set(links))) == (3, 2)


async def test_order_repeats_a_link_of_an_earlier_order(start: StartSandbox) -> None:
    customer = await start(faults=Faults(repeated_link=1))

    first = set(urls((await customer.order("PO-1")).json()))
    second = set(urls((await customer.order("PO-2")).json()))

    assert (len(first), len(second), len(first & second)) == (3, 3, 1)


async def test_links_appear_under_two_paths(start: StartSandbox) -> None:
    customer = await start(faults=Faults(links_twice=1))

    order = (await customer.order()).json()

    assert order["AllLinks"] == urls(order)


async def test_other_urls_stand_beside_the_links(start: StartSandbox) -> None:
    customer = await start(faults=Faults(extra_urls=1))

    order = (await customer.order()).json()

    assert order["TermsUrl"].startswith("https://")
    assert order["LineItems"][0]["LogoUrl"].startswith("https://")


async def test_unknown_status_is_shown_for_the_first_reads(start: StartSandbox) -> None:
    customer = await start(faults=Faults(status_unknown=1, unknown_reads=2))
    answer = await customer.order()

    statuses = [(await customer.read(answer))["Status"] for _ in range(3)]

    assert answer.json()["Status"] == "OnHold"
    assert statuses == ["OnHold", "OnHold", "Completed"]


@asynccontextmanager
async def a_receiver() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Listen for webhooks: yields its URL and the requests as they come."""
    requests: list[bytes] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        requests.append(head + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/hook", requests


async def order_with_webhook(customer: Customer, url: str, po: str = "PO-1") -> httpx.Response:
    return await customer.order(po, WebhookSettings={"FulfillmentComplete": url})


async def test_webhook_signals_completion_without_links(start: StartSandbox) -> None:
    async with a_receiver() as (url, requests):
        customer = await start(async_above=0, async_delay=0.05)
        order = (await order_with_webhook(customer, url)).json()

        await wait_until(lambda: requests)

    assert requests[0].startswith(b"POST /hook ")
    assert order["Id"].encode() in requests[0]
    assert b"claim" not in requests[0]


async def test_synchronous_order_fires_no_webhook(start: StartSandbox) -> None:
    async with a_receiver() as (url, requests):
        customer = await start(async_above=0, async_delay=None)
        waiting = (await order_with_webhook(customer, url, "PO-2")).json()
        other = await start(async_above=None)
        await order_with_webhook(other, url, "PO-1")
        await customer.control(f"orders/{waiting['Id']}/complete", method="POST")

        await wait_until(lambda: requests)

    assert b"PO-2" in requests[0]
    assert len(requests) == 1


async def test_webhook_comes_twice(start: StartSandbox) -> None:
    async with a_receiver() as (url, requests):
        faults = Faults(webhook_twice=1)
        customer = await start(async_above=0, async_delay=0.01, faults=faults)
        await order_with_webhook(customer, url)

        await wait_until(lambda: len(requests) == 2)


async def test_late_webhook_comes_after_completion_and_survives_a_restart(
    start: StartSandbox, tmp_path: Path
) -> None:
    async with a_receiver() as (url, requests):
        faults = Faults(webhook_late=1, webhook_late_seconds=0.5)
        customer = await start(async_above=0, async_delay=0.01, faults=faults)
        answer = await order_with_webhook(customer, url)
        order = customer.sandbox.account.order(answer.json()["Id"])
        assert order is not None
        assert order.completes_at is not None

        await wait_until(lambda: requests)
        late = time.time() - order.completes_at

    assert (await customer.read(answer))["Status"] == "Completed"
    assert late >= 0.5


async def test_webhook_never_comes(start: StartSandbox) -> None:
    async with a_receiver() as (url, requests):
        customer = await start(async_above=0, async_delay=0.01, faults=Faults(webhook_never=1))
        await order_with_webhook(customer, url, "PO-1")
        await customer.faults(webhook_never=0)
        await order_with_webhook(customer, url, "PO-2")

        await wait_until(lambda: requests)

        await wait_until(lambda: customer.sandbox.account.next_signal_at() is None)

    assert [b"PO-2" in request for request in requests] == [True]


async def test_webhook_owed_at_the_end_is_called_after_the_next_start(
    start: StartSandbox, tmp_path: Path
) -> None:
    async with a_receiver() as (url, requests):
        first = await start(directory=tmp_path, async_above=0, async_delay=None)
        order = (await order_with_webhook(first, url)).json()
        account = first.sandbox.account
        kept = account.order(order["Id"])
        assert kept is not None
        # Completed behind the back of the running sandbox, as if it had ended meanwhile.
        account.replace(kept.model_copy(update={"completes_at": time.time()}))

        await start(directory=tmp_path)

        await wait_until(lambda: requests)


async def test_unknown_fault_is_refused_in_words(start: StartSandbox) -> None:
    customer = await start()

    answer = await customer.http.put("/_sandbox/faults", json={"order_500": 1, "nonsense": 1})

    assert answer.status_code == 400
    assert '"nonsense" is not a fault of the rewards API' in answer.json()["Message"]
    assert (await customer.control("faults"))["order_500"] == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_every_fault_of_a_kind_is_turned_off_at_once(
    start: StartSandbox, kind: type[Switches]
) -> None:
    customer = await start(
        faults=Faults(slow=0.5),
        mail=MailOptions(faults=MailFaults(slow=0.5)),
        sms=SmsOptions(faults=SmsFaults(sms_429=0.5)),
    )
    assert await customer.control(kind.path) != kind().model_dump()

    assert await customer.control(kind.path, method="DELETE") == kind().model_dump()
    assert await customer.control(kind.path) == kind().model_dump()


async def test_same_seed_repeats_the_run_whatever_the_order_of_requests(
    start: StartSandbox, tmp_path: Path
) -> None:
    pos = [f"PO-{number}" for number in range(12)]

    async def fates(name: str, order: list[str], seed: int) -> dict[str, Any]:
        faults = Faults(order_500=0.3, order_504_after_commit=0.3, duplicate_link=0.3)
        customer = await start(directory=tmp_path / name, faults=faults, seed=seed)
        fates: dict[str, Any] = {}
        for po in order:
            answers = [await customer.order(po, 2) for _ in range(3)]
            kept = [answer.json() for answer in answers if answer.status_code == 201]
            distinct = [len(set(urls(each))) for each in kept]
            fates[po] = [answer.status_code for answer in answers], distinct
        return fates

    first = await fates("a", pos, seed=7)

    assert await fates("b", pos[::-1], seed=7) == first
    assert await fates("c", pos, seed=8) != first


@given(share=st.floats(0, 1), seed=st.integers(), key=st.text())
def test_dice_are_monotonic_in_the_share(share: float, seed: int, key: str) -> None:
    def hits(probability: float) -> bool:
        return Chaos(Faults(slow=probability), seed).hits("slow", key)

    assert not hits(0)
    assert hits(1)
    assert hits(share) == hits(share)
    assert hits(share) <= hits(min(1, share * 1.5))
