"""Faults that are seen for as long as they are switched on, and gone with the switch."""

from typing import Any

import pytest

from sandbox.faults import Faults
from tests.sandbox.driving import Customer, StartSandbox, urls


async def test_an_order_that_is_refused_is_not_placed(start: StartSandbox) -> None:
    customer = await start(faults=Faults(order_400=1))
    assert (await customer.order()).status_code == 400
    await customer.faults(order_400=0)
    assert (await customer.order()).status_code == 201


async def test_links_that_are_withdrawn_are_neither_offered_nor_sold(start: StartSandbox) -> None:
    customer = await start(faults=Faults(links_withdrawn=True))
    products = (await customer.get("/v1/Products")).json()
    assert all("Links" not in product["AvailableDeliveryTypes"] for product in products)
    assert (await customer.order()).status_code == 400
    await customer.faults(links_withdrawn=False)
    assert (await customer.order()).status_code == 201
    products = (await customer.get("/v1/Products")).json()
    assert "Links" in products[0]["AvailableDeliveryTypes"]


async def test_a_duplicate_may_keep_its_order_to_itself(start: StartSandbox) -> None:
    customer = await start(faults=Faults(duplicate_without_id=True))
    placed = await customer.order()
    assert "Id" not in (await customer.order()).json()
    await customer.faults(duplicate_without_id=False)
    assert (await customer.order()).json()["Id"] == placed.json()["Id"]


async def test_an_order_may_hold_a_link_too_many(start: StartSandbox) -> None:
    customer = await start(faults=Faults(extra_link=1))
    links = urls((await customer.order(quantity=3)).json())
    assert len(set(links)) == 4


@pytest.mark.parametrize(
    "fault",
    ["order_shown_wrong", "links_hidden", "links_http", "links_elsewhere", "links_ambiguous"],
)
async def test_an_order_is_shown_wrongly_and_is_right(start: StartSandbox, fault: str) -> None:
    customer = await start()
    placed = await customer.order()
    right = await customer.read(placed)
    await customer.faults(**{fault: True})
    wrong = await customer.read(placed)
    assert wrong != right
    _is_wrong(fault, wrong)
    await customer.faults(**{fault: False})
    assert await customer.read(placed) == right


def _is_wrong(fault: str, order: dict[str, Any]) -> None:
    (item,) = order["LineItems"]
    match fault:
        case "order_shown_wrong":
            assert item["Value"] == 11
        case "links_hidden":
            assert "Links" not in item
        case "links_http":
            assert {link["Url"].partition(":")[0] for link in item["Links"]} == {"http"}
        case "links_elsewhere":
            assert "elsewhere" in item["Links"][0]["Url"]
            assert "elsewhere" not in item["Links"][1]["Url"]
        case _:
            assert len(item["CardLinks"]) == 3


async def test_the_order_itself_can_be_read_while_its_links_are_hidden(
    start: StartSandbox,
) -> None:
    customer: Customer = await start(faults=Faults(links_hidden=True))
    await customer.order()
    (order,) = (await customer.control("account"))["orders"]
    assert len(order["links"]) == 3
