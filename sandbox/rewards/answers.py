"""Orders as the API shows them; where the links sit differs from vendor to vendor."""

from datetime import UTC, datetime
from typing import Any

from sandbox.options import LinkShape
from sandbox.rewards.account import Reading
from sandbox.rewards.orders import RequestedItem, SandboxOrder


def order_answer(reading: Reading, shape: LinkShape, now: float) -> dict[str, Any]:
    """Return the JSON of an order; its links only when the status is Completed."""
    order = reading.order
    answer = summary(order, order.status(now, reading.reads))
    if answer["Status"] == "Completed":
        links = _visible(reading)
        _add_links(answer, links, shape)
        _add_oddities(answer, order, links)
    return answer


def summary(order: SandboxOrder, status: str) -> dict[str, Any]:
    """Return the JSON of an order without its links, as the history shows it."""
    return {
        "Id": order.id,
        "PONumber": order.request.po,
        "Type": order.request.type,
        "Status": status,
        "CreatedAt": datetime.fromtimestamp(order.created_at, UTC).isoformat(),
        "LineItems": [_line_item(item) for item in order.request.line_items],
    }


def _line_item(item: RequestedItem) -> dict[str, Any]:
    return {
        "ProductId": item.product_id,
        "Value": float(item.value),
        "Quantity": item.quantity,
    }


def _visible(reading: Reading) -> list[list[str]]:
    links = [list(urls) for urls in reading.order.links]
    if reading.full_reads < reading.order.quirks.hidden_reads:
        links[-1].pop()
    return links


def _add_links(answer: dict[str, Any], links: list[list[str]], shape: LinkShape) -> None:
    if shape == "top_level":
        answer["Links"] = [{"Url": url} for urls in links for url in urls]
        return
    for item, urls in zip(answer["LineItems"], links, strict=True):
        if shape == "links":
            item["Links"] = [{"Url": url} for url in urls]
        elif shape == "claim_links":
            item["ClaimLinks"] = urls
        else:
            item["Claims"] = [{"Link": {"Url": url}} for url in urls]


def _add_oddities(answer: dict[str, Any], order: SandboxOrder, links: list[list[str]]) -> None:
    if order.quirks.links_twice:
        answer["AllLinks"] = [url for urls in links for url in urls]
    if order.quirks.extra_urls:
        answer["TermsUrl"] = "https://www.sandbox.example/terms"
        for item in answer["LineItems"]:
            item["LogoUrl"] = f"https://cdn.sandbox.example/{item['ProductId']}.png"
