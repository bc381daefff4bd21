"""Whatever the API answers: what was asked for, or an error in one line that holds no secret."""

import copy
import json
import traceback
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.domain.errors import RewardsError
from pipeline.rewards.client import RewardsClient
from pipeline.rewards.document import parse_json
from pipeline.rewards.links import LinksProblem, extract_links
from pipeline.rewards.models import Order, OrderRequest
from tests.pipeline.rewards.conftest import ACCESS_TOKEN, BEARER
from tests.pipeline.rewards.upstream import Upstream, reply

# One client and one scripted API for all examples, as in production.
fuzzed = settings(
    deadline=None,  # the machine may be busy
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

QUANTITY = 3
LINKS = [f"https://claim.example/{n}-secret" for n in range(QUANTITY)]
REQUEST = OrderRequest(
    po_number="c-1", product_id="CVS", value=Decimal("10.50"), quantity=QUANTITY
)
ORDER: dict[str, Any] = {
    "Id": "A-17",
    "PONumber": "c-1",
    "Status": "Completed",
    "Type": "Links",
    "Terms": "https://api.example/terms",
    "LineItems": [{"ProductId": "CVS", "Value": 10.5, "Quantity": QUANTITY, "Links": LINKS}],
}
PRODUCTS: list[Any] = [
    {
        "Id": "CVS",
        "Name": "CVS",
        "Denominations": [5, 10.5],
        "DenominationType": "Fixed",
        "AvailableDeliveryTypes": ["Links"],
        "CurrencyCode": "USD",
    }
]
TOKEN: dict[str, Any] = {"Value": BEARER, "ExpiresIn": 3600}

ODD = st.recursive(
    st.sampled_from([*LINKS, LINKS[0].upper(), "http://x/1", "//x/2", "", " ", 0, -1, 1e300, None])
    | st.booleans()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["Links", "Url", "Id", "LineItems"]), inner, max_size=3)
    ),
    max_leaves=6,
)
EDITS = st.lists(
    st.tuples(st.sampled_from(["drop", "set", "add", "twice", "rename"]), st.integers(0, 40), ODD),
    max_size=4,
)
CUTS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 9), st.binary(max_size=3)), max_size=2
)
STATUSES = st.sampled_from([200, 201, 202, 204, 301, 400, 401, 403, 404, 409, 422, 429, 500, 504])


def edited(document: object, edits: list[tuple[str, int, object]]) -> object:
    """Return the document with values dropped, replaced, added, doubled or put under new keys."""
    found = copy.deepcopy(document)
    for how, where, odd in edits:
        places = list(_places(found))
        if not places:
            return odd
        box, key = places[where % len(places)]
        _edit(box, key, how, copy.deepcopy(odd))
    return found


def _places(document: object) -> list[tuple[Any, Any]]:
    if not isinstance(document, dict | list):
        return []
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    inner = [place for key in keys for place in _places(document[key])]
    return [(document, key) for key in keys] + inner


def _edit(box: Any, key: Any, how: str, odd: object) -> None:  # noqa: ANN401 - JSON
    match how, box:
        case "drop", _:
            del box[key]
        case "set", _:
            box[key] = odd
        case "add", list():
            box.insert(key, odd)
        case "twice", list():
            box.append(box[key])
        case "rename" | "twice" | "add", dict():
            box[f"{key}Link" if how == "rename" else str(key).lower()] = box.pop(key)
        case _:
            pass


def spliced(document: object, cuts: list[tuple[int, int, bytes]]) -> bytes:
    raw = bytearray(json.dumps(document).encode())
    for place, length, piece in cuts:
        raw[place : place + length] = piece
    return bytes(raw)


def refused_whole(
    document: object,
    edits: list[tuple[str, int, object]],
    cuts: list[tuple[int, int, bytes]],
    status: int,
) -> bytes:
    """Return an answer's body; a refusal is not cut, as half a secret in it is no longer one."""
    return spliced(edited(document, edits), cuts if status < 400 else [])


def assert_discreet(error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))
    for secret in ("-secret", BEARER, ACCESS_TOKEN):
        assert secret not in text.casefold() if secret.islower() else secret not in text
    assert "\n" not in str(error)


@fuzzed
@given(edits=EDITS, cuts=CUTS, status=STATUSES)
async def test_an_order_that_is_placed_or_read_is_understood_or_an_error_in_one_line(
    upstream: Upstream,
    client: RewardsClient,
    edits: list[tuple[str, int, object]],
    cuts: list[tuple[int, int, bytes]],
    status: int,
) -> None:
    upstream.seen.clear()
    answer = reply(status, refused_whole(ORDER, edits, cuts, status))
    upstream.on("POST /v1/Orders", answer)
    upstream.on("GET /v1/Orders/A-17", answer)
    calls: list[Callable[[], Awaitable[Order]]] = [
        lambda: client.create_order(REQUEST, lambda: None),
        lambda: client.read_order("A-17"),
    ]
    for call in calls:
        try:
            order = await call()
        except RewardsError as error:
            assert_discreet(error)
        else:
            assert order.id.isprintable()
            assert "Links" not in repr(order).replace("type='Links'", "")


@fuzzed
@example(edits=[], cuts=[], status=400)
@given(edits=EDITS, cuts=CUTS, status=STATUSES)
async def test_products_and_tokens_are_understood_or_an_error_in_one_line(
    upstream: Upstream,
    client: RewardsClient,
    edits: list[tuple[str, int, object]],
    cuts: list[tuple[int, int, bytes]],
    status: int,
) -> None:
    upstream.seen.clear()
    upstream.on(
        "POST /v1/Tokens",
        reply(status, refused_whole(TOKEN, edits, cuts, status)),
    )
    try:
        token = await client.create_token()
    except RewardsError as error:
        assert_discreet(error)
    else:
        assert token.value.isascii()
        assert 1 <= token.expires_in <= 86_400
        assert token.value not in repr(token)
    upstream.on("POST /v1/Tokens", reply(200, TOKEN))
    upstream.on("GET /v1/Products", reply(status, spliced(edited(PRODUCTS, edits), cuts)))
    try:
        assert all(product.id for product in await client.products())
    except RewardsError as error:
        assert_discreet(error)


@fuzzed
@given(edits=EDITS, path=st.sampled_from([None, "LineItems[].Links[]"]))
def test_an_order_gives_exactly_its_links_or_a_reason_to_hold_it(
    edits: list[tuple[str, int, object]], path: str | None
) -> None:
    document = parse_json(json.dumps(edited(ORDER, edits)).encode())
    try:
        order = Order.read(document)
    except ValueError:
        return
    try:
        links = extract_links(order.document, QUANTITY, path=path)
    except LinksProblem as problem:
        assert_discreet(problem)
        assert edits, "a sound order was refused"
    else:
        assert len(links) == len(set(links)) == QUANTITY
        shown = json.dumps(document)
        # In the order in which they stand there, so that nobody gets another one's.
        places = [shown.find(json.dumps(link)[1:-1]) for link in links]
        assert min(places) >= 0
        assert edits or list(links) == LINKS
