"""The rewards API as it is documented."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.faults import Chaos, Faults
from sandbox.options import SandboxOptions
from sandbox.rewards.account import InsufficientFundsError, SandboxAccount
from sandbox.rewards.issuing import issue
from sandbox.rewards.orders import SandboxOrderRequest
from tests.sandbox.driving import StartSandbox, an_order, urls
from tests.support.waiting import wait_until


async def test_token_is_given_for_the_right_headers_only(start: StartSandbox) -> None:
    customer = await start()

    wrong = await customer.http.post("/v1/Tokens", headers={"Email": "x", "AccessToken": "y"})
    right = await customer.log_in()

    assert wrong.status_code == 401
    assert right.status_code == 200
    assert right.json()["ExpiresIn"] == 3600


async def test_disabled_credentials_get_403(start: StartSandbox) -> None:
    customer = await start(faults=Faults(credentials_disabled=True))

    assert (await customer.log_in()).status_code == 403


@pytest.mark.parametrize("path", ["Products", "Orders", "Orders/x"])
async def test_nothing_is_shown_without_a_bearer_token(start: StartSandbox, path: str) -> None:
    customer = await start()

    answer = await customer.http.get(f"/v1/{path}", headers={"Authorization": "Bearer no"})

    assert answer.status_code == 401


async def test_token_expires_after_its_lifetime(start: StartSandbox, tmp_path: Path) -> None:
    customer = await start()
    assert (await customer.get("/v1/Products")).status_code == 200
    customer = await start(directory=tmp_path / "another", token_lifetime=1)
    await customer.log_in()

    async def refused() -> bool:
        return (await customer.get("/v1/Products")).status_code == 401

    await wait_until(refused)


async def test_catalogue_offers_links_and_exceptions(start: StartSandbox) -> None:
    customer = await start()

    products = {each["Id"]: each for each in (await customer.get("/v1/Products")).json()}

    assert products["CVS"]["Denominations"] == [5, 10, 25, 50, 100]
    assert products["CVS"]["DenominationType"] == "Fixed"
    assert "Links" in products["CVS"]["AvailableDeliveryTypes"]
    assert any("Links" not in each["AvailableDeliveryTypes"] for each in products.values())
    assert {each["CurrencyCode"] for each in products.values()} == {"USD", "CAD"}


async def test_small_order_is_completed_at_once(start: StartSandbox) -> None:
    customer = await start(async_above=3)

    answer = await customer.order("PO-1", 3)

    assert answer.status_code == 201
    order = answer.json()
    assert (order["PONumber"], order["Status"]) == ("PO-1", "Completed")
    assert len(set(urls(order))) == 3
    assert all(url.startswith("https://claim.sandbox.example/") for url in urls(order))
    assert await customer.read(answer) == order


async def test_large_order_is_pending_until_its_time_has_come(start: StartSandbox) -> None:
    customer = await start(async_above=2, async_delay=0.2)

    answer = await customer.order("PO-1", 3)

    assert answer.json()["Status"] == "Pending"
    assert "Links" not in answer.json()["LineItems"][0]

    async def completed() -> bool:
        return bool((await customer.read(answer))["Status"] == "Completed")

    await wait_until(completed)
    assert len(urls(await customer.read(answer))) == 3


async def test_control_completes_an_order_that_waits(start: StartSandbox) -> None:
    customer = await start(async_above=0, async_delay=None)
    answer = await customer.order()
    assert (await customer.read(answer))["Status"] == "Pending"

    await customer.control(f"orders/{answer.json()['Id']}/complete", method="POST")

    assert (await customer.read(answer))["Status"] == "Completed"


async def test_repeated_po_names_the_first_order_whatever_it_asks(start: StartSandbox) -> None:
    customer = await start()
    first = await customer.order("PO-1", 3)

    same = await customer.order("PO-1", 3)
    other = await customer.post({"PONumber": "PO-1", "Type": "nonsense"})

    assert (same.status_code, other.status_code) == (409, 409)
    assert same.json()["Id"] == other.json()["Id"] == first.json()["Id"]
    account = await customer.control("account")
    assert account["posts"] == {"PO-1": 3}
    assert account["totals"]["orders"] == 1


WRONG_ORDERS: list[tuple[dict[str, Any], str]] = [
    ({"Type": "Nonsense"}, "Type"),
    ({"Type": "PhysicalShipment"}, "Type"),
    ({"LineItems": []}, "LineItems"),
    ({"LineItems": None}, "LineItems"),
    ({"PONumber": ""}, "PONumber"),
    ({"PONumber": 7}, "PONumber"),
    ({"WebhookSettings": {"FulfillmentComplete": "ftp://x"}}, "FulfillmentComplete"),
]
WRONG_ITEMS: list[tuple[dict[str, Any], str]] = [
    ({"ProductId": "NOPE"}, "no such product"),
    ({"ProductId": "KROGER-CARD"}, "not available as Links"),
    ({"Value": 11}, "denomination"),
    ({"Value": "10.00"}, "must be a number"),
    ({"Value": 10.001}, "decimal"),
    ({"Quantity": 0}, "Quantity"),
    ({"Quantity": 1.5}, "Quantity"),
    ({"Quantity": True}, "Quantity"),
]


async def test_wrong_order_is_refused_in_words(start: StartSandbox) -> None:
    customer = await start()
    wrong = [(an_order() | change, words) for change, words in WRONG_ORDERS]
    for change, words in WRONG_ITEMS:
        order = an_order()
        order["LineItems"][0].update(change)
        wrong.append((order, words))

    for order, words in wrong:
        answer = await customer.post(order)
        assert answer.status_code == 400, order
        assert words in answer.json()["Message"], order

    assert (await customer.control("account"))["totals"]["orders"] == 0


async def test_variable_product_takes_any_value_in_its_range(start: StartSandbox) -> None:
    customer = await start()
    order = an_order(value=12.34)
    order["LineItems"][0]["ProductId"] = "VISA-ANY"

    assert (await customer.post(order)).status_code == 201


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
async def test_body_that_is_no_object_is_refused(start: StartSandbox, body: bytes) -> None:
    customer = await start()
    await customer.log_in()

    answer = await customer.http.post(
        "/v1/Orders", content=body, headers={"Authorization": f"Bearer {customer.token}"}
    )

    assert answer.status_code == 400


async def test_order_waits_for_funds_and_keeps_its_po(start: StartSandbox) -> None:
    customer = await start(funds=Decimal(25))

    refused = await customer.order("PO-1", 3)
    funded = await customer.control("funds", {"add": "5.50"}, "POST")
    accepted = await customer.order("PO-1", 3)

    assert (refused.status_code, accepted.status_code) == (422, 201)
    assert funded == {"funds": "30.50"}
    assert (await customer.control("account"))["funds"] == "0.50"


async def test_history_comes_in_pages_without_links(start: StartSandbox) -> None:
    customer = await start()
    for number in range(52):
        await customer.order(f"PO-{number}", 1)

    first = (await customer.get("/v1/Orders")).json()
    second = (await customer.get("/v1/Orders?pageIndex=1")).json()

    pos = [order["PONumber"] for page in (first, second) for order in page["Orders"]]
    assert pos == [f"PO-{number}" for number in range(52)]
    assert "claim.sandbox" not in str(first)


async def test_unknown_order_is_not_found(start: StartSandbox) -> None:
    customer = await start()

    assert (await customer.get("/v1/Orders/unknown")).status_code == 404


@pytest.mark.parametrize(
    ("shape", "dig"),
    [
        ("links", lambda order: order["LineItems"][0]["Links"][2]["Url"]),
        ("claim_links", lambda order: order["LineItems"][0]["ClaimLinks"][2]),
        ("top_level", lambda order: order["Links"][2]["Url"]),
        ("nested", lambda order: order["LineItems"][0]["Claims"][2]["Link"]["Url"]),
    ],
)
async def test_links_are_where_the_shape_says(
    start: StartSandbox, shape: str, dig: object
) -> None:
    customer = await start(link_shape=shape)

    order = (await customer.order()).json()

    assert callable(dig)
    [kept] = (await customer.control("account"))["orders"]
    assert dig(order) == kept["links"][2]


async def test_account_survives_a_restart(start: StartSandbox, tmp_path: Path) -> None:
    before = await start(directory=tmp_path, funds=Decimal(100), async_above=0, async_delay=0.1)
    placed = await before.order("PO-1", 3)
    account = await before.control("account")

    after = await start(directory=tmp_path, funds=Decimal(5))
    after.token = before.token

    async def completed() -> bool:
        return bool((await after.read(placed))["Status"] == "Completed")

    await wait_until(completed)
    assert urls(await after.read(placed)) == account["orders"][0]["links"]
    assert (await after.order("PO-1", 3)).status_code == 409
    assert (await after.control("account"))["funds"] == "70"


@given(
    start=st.integers(0, 200),
    orders=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), max_size=8),
)
def test_account_never_spends_more_than_it_has_and_no_po_twice(
    start: int, orders: list[tuple[int, int]]
) -> None:
    options = SandboxOptions(directory=Path())
    with SandboxAccount(Path(":memory:"), funds=Decimal(start)) as account:
        for po, quantity in orders:
            order = issue(
                SandboxOrderRequest.model_validate(an_order(f"PO-{po}", quantity)),
                options,
                Chaos(Faults(), 1),
                now=1.0,
                earlier_link=account.earliest_link,
            )
            if account.order_id(f"PO-{po}") is None:
                affordable = (account.funds() or 0) >= 10 * quantity
                try:
                    account.place(order)
                except InsufficientFundsError:
                    assert not affordable
                else:
                    assert affordable
        spent = sum(order.request.total for order in account.orders())
        assert account.funds() == start - spent
        pos = [order.request.po for order in account.orders()]
        assert len(pos) == len(set(pos))
