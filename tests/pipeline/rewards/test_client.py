"""The client against a scripted API on a real socket."""

import asyncio
import json
import logging
import traceback
from collections.abc import Callable
from decimal import Decimal

import httpx
import pytest

from pipeline.domain.errors import (
    AbandonedError,
    CredentialsError,
    DuplicateOrderError,
    FundsError,
    OrderNotFoundError,
    RefusedError,
    RewardsError,
    RewardsUnavailableError,
)
from pipeline.domain.vault import Vault
from pipeline.rewards.account import Account
from pipeline.rewards.client import RewardsClient, http_client
from pipeline.rewards.models import OrderRequest
from pipeline.store.keys import token_key
from tests.pipeline.rewards.conftest import ACCESS_TOKEN, BEARER, a_client
from tests.pipeline.rewards.upstream import (
    Reply,
    Upstream,
    cut_short,
    drip,
    flood,
    hang,
    reply,
    reset,
)
from tests.support.redis import Redis
from tests.support.waiting import wait_until

REQUEST = OrderRequest(po_number="c-1", product_id="CVS", value=Decimal("10.50"), quantity=2)
LINK = "https://claim.example/aaa111"
ORDER = {
    "Id": "A-17",
    "PONumber": "c-1",
    "Status": "Completed",
    "LineItems": [{"ProductId": "CVS", "Value": 10.5, "Quantity": 2, "Links": [LINK]}],
}
CREATE, READ = "POST /v1/Orders", "GET /v1/Orders/A-17"


def cleared() -> None:
    return None


def abandoned() -> None:
    code = "lease_lost"
    raise AbandonedError(code)


async def test_a_token_is_created_with_the_credentials_in_headers(
    client: RewardsClient, upstream: Upstream
) -> None:
    token = await client.create_token()
    assert (token.value, token.expires_in) == (BEARER, 3600)
    (seen,) = upstream.seen
    assert (seen.headers["email"], seen.headers["accesstoken"]) == (
        "ops@example.com",
        ACCESS_TOKEN,
    )


async def test_products_are_read_under_the_token(
    client: RewardsClient, upstream: Upstream
) -> None:
    upstream.on("GET /v1/Products", reply(200, [{"Id": "CVS", "Denominations": [10]}]))
    (product,) = await client.products()
    assert (product.id, product.denominations) == ("CVS", (Decimal(10),))
    assert upstream.seen[-1].bearer == BEARER


async def test_an_order_is_placed_as_documented(client: RewardsClient, upstream: Upstream) -> None:
    upstream.on(CREATE, reply(201, ORDER))
    order = await client.create_order(REQUEST, cleared)
    assert (order.id, order.status, order.document) == ("A-17", "Completed", ORDER)
    (seen,) = upstream.asked(CREATE)
    assert seen.body == REQUEST.body()
    assert seen.headers["content-type"] == "application/json"
    assert seen.bearer == BEARER


async def test_one_connection_and_one_token_serve_many_calls(
    client: RewardsClient, upstream: Upstream
) -> None:
    upstream.on(READ, reply(200, ORDER))
    for _ in range(5):
        await client.read_order("A-17")
    assert upstream.connections == 1
    assert len(upstream.asked("POST /v1/Tokens")) == 1


@pytest.mark.parametrize(
    ("order_id", "target"),
    [
        ("a/b", "a%2Fb"),
        ("../Tokens", "..%2FTokens"),
        ("%2e%2e", "%252e%252e"),
        ("a?b#c", "a%3Fb%23c"),
        ("a b:ü", "a%20b%3A%C3%BC"),
        ("...", "..."),
    ],
)
async def test_an_order_id_is_one_segment_of_the_path_whatever_it_holds(
    client: RewardsClient, upstream: Upstream, order_id: str, target: str
) -> None:
    upstream.on(f"GET /v1/Orders/{target}", reply(200, {"Id": order_id}))
    assert (await client.read_order(order_id)).id == order_id


@pytest.mark.parametrize("order_id", ["", ".", "..", "a\r\nb"])
async def test_an_id_that_no_order_can_have_is_not_asked_for(
    client: RewardsClient, upstream: Upstream, order_id: str
) -> None:
    with pytest.raises(OrderNotFoundError):
        await client.read_order(order_id)
    assert upstream.seen == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply(400, {"message": "No"}), RefusedError),
        (reply(404), RefusedError),
        (reply(403), CredentialsError),
        (reply(409, {"Id": 17}), DuplicateOrderError),
        (reply(422), FundsError),
        (reply(429), RewardsUnavailableError),
        (reply(504), RewardsUnavailableError),
        (reply(302, Location="/v1/Products"), RewardsUnavailableError),
    ],
)
async def test_each_answer_is_the_error_that_decides(
    client: RewardsClient, upstream: Upstream, answer: bytes, expected: type[RewardsError]
) -> None:
    upstream.on(CREATE, answer)
    with pytest.raises(RewardsError) as caught:
        await client.create_order(REQUEST, cleared)
    assert type(caught.value) is expected
    assert len(upstream.seen) == 2


async def test_an_order_that_is_not_there_is_not_found(
    client: RewardsClient, upstream: Upstream
) -> None:
    with pytest.raises(OrderNotFoundError, match="no such route"):
        await client.read_order("A-17")


@pytest.mark.parametrize(
    "answer",
    [
        reply(201),
        reply(201, b"{"),
        reply(201, {}),
        reply(201, [ORDER]),
        reply(201, {**ORDER, "PONumber": "c-2"}),
        reply(200, ORDER, Content_Encoding="gzip"),
        flood(ORDER),
    ],
)
async def test_a_success_that_is_no_order_of_ours_is_unknown(
    client: RewardsClient, upstream: Upstream, answer: Reply
) -> None:
    upstream.on(CREATE, answer)
    with pytest.raises(RewardsUnavailableError) as caught:
        await client.create_order(REQUEST, cleared)
    assert (caught.value.code, caught.value.sent) == ("unreadable_answer", True)


async def test_an_answer_about_another_order_is_not_taken(
    client: RewardsClient, upstream: Upstream
) -> None:
    upstream.on(READ, reply(200, {**ORDER, "Id": "A-18"}))
    with pytest.raises(RewardsUnavailableError, match="another order"):
        await client.read_order("A-17")


@pytest.mark.parametrize("answer", [reset, cut_short, b"nonsense\r\n\r\n"])
async def test_a_line_that_breaks_after_the_request_left_says_so(
    client: RewardsClient, upstream: Upstream, answer: Reply
) -> None:
    upstream.on(CREATE, answer)
    with pytest.raises(RewardsUnavailableError) as caught:
        await client.create_order(REQUEST, cleared)
    assert (caught.value.code, caught.value.sent) == ("reset", True)


@pytest.mark.parametrize("answer", [hang, drip])
async def test_one_request_takes_no_longer_than_the_time_out(
    client: RewardsClient,
    upstream: Upstream,
    account: Account,
    redis: Redis,
    vault: Vault,
    answer: Reply,
) -> None:
    await with_a_token(client, upstream)
    async with http_client(upstream.base_url, 0.3) as http:
        upstream.on(CREATE, answer)
        error = await failure_once_left(a_client(http, account, redis, vault))
    assert (error.code, error.sent) == ("timeout", True)


async def failure_once_left(client: RewardsClient) -> RewardsUnavailableError:
    """On a busy machine a short time may be over before an order leaves: then it is sent again."""
    asked: list[int] = []
    for _ in range(20):
        asked.clear()
        with pytest.raises(RewardsUnavailableError) as caught:
            await client.create_order(REQUEST, lambda: asked.append(1))
        if len(asked) > 1:  # before the wait for a connection, and at the departure
            return caught.value
        told = (caught.value.code, caught.value.sent)
        assert told in {("connect_timeout", False), ("timeout", True)}
    pytest.fail("nothing ever left")


async def with_a_token(client: RewardsClient, upstream: Upstream) -> None:
    """Let the fleet have a token, so that nobody has to fetch one in a hurry."""
    upstream.on("GET /v1/Products", reply(200, []))
    await client.products()


async def test_an_api_that_is_not_there_was_sent_nothing(
    account: Account, redis: Redis, vault: Vault, unused_tcp_port: int
) -> None:
    async with http_client(f"http://127.0.0.1:{unused_tcp_port}", 240.0) as http:
        with pytest.raises(RewardsUnavailableError) as caught:
            await a_client(http, account, redis, vault).create_token()
    assert (caught.value.code, caught.value.sent) == ("unreachable", False)


async def test_a_full_pool_was_sent_nothing(
    upstream: Upstream, account: Account, redis: Redis, vault: Vault
) -> None:
    async with http_client(upstream.base_url, 240.0, connections=1) as http:
        client = a_client(http, account, redis, vault)
        upstream.on(READ, hang)
        busy = asyncio.create_task(client.read_order("A-17"))
        await wait_until(lambda: upstream.asked(READ))
        whole, waiting = http.timeout.read, http.timeout.pool
        assert whole is not None
        assert waiting is not None
        assert waiting < whole, "else nobody would know whether it had left"
        http.timeout = httpx.Timeout(whole, pool=0.1)
        with pytest.raises(RewardsUnavailableError) as caught:
            await client.create_order(REQUEST, cleared)
        assert (caught.value.code, caught.value.sent) == ("pool_timeout", False)
        busy.cancel()
        with pytest.raises(asyncio.CancelledError):
            await busy
    assert upstream.asked(CREATE) == []


@pytest.mark.parametrize("failure", [reset, reply(503, Retry_After="9"), reply(200, {})])
async def test_without_a_token_the_order_never_left(
    client: RewardsClient, upstream: Upstream, failure: Reply
) -> None:
    upstream.on("POST /v1/Tokens", failure)
    with pytest.raises(RewardsUnavailableError) as caught:
        await client.create_order(REQUEST, cleared)
    assert not caught.value.sent
    assert upstream.asked(CREATE) == []


async def test_a_refused_token_is_renewed_once_and_the_call_repeated(
    client: RewardsClient, upstream: Upstream
) -> None:
    tokens = [reply(200, {"Value": f"t{n}", "ExpiresIn": 3600}) for n in (1, 2)]
    upstream.on("POST /v1/Tokens", *tokens)
    upstream.on(CREATE, reply(401), reply(201, ORDER))
    assert (await client.create_order(REQUEST, cleared)).id == "A-17"
    assert [seen.bearer for seen in upstream.asked(CREATE)] == ["t1", "t2"]


async def test_a_refused_fresh_token_is_a_matter_of_credentials(
    client: RewardsClient, upstream: Upstream
) -> None:
    upstream.on(CREATE, reply(401, {"message": f"token {BEARER} is not valid"}))
    with pytest.raises(CredentialsError) as caught:
        await client.create_order(REQUEST, cleared)
    assert caught.value.detail == "token […] is not valid"
    assert len(upstream.asked(CREATE)) == 2
    assert len(upstream.asked("POST /v1/Tokens")) == 2


async def test_tokens_refused_in_a_row_are_counted_and_any_other_answer_ends_the_row(
    client: RewardsClient, upstream: Upstream
) -> None:
    tokens = [reply(200, {"Value": f"t{n}", "ExpiresIn": 3600}) for n in range(9)]
    upstream.on("POST /v1/Tokens", *tokens)
    upstream.on(READ, *[reply(401)] * 4, reply(500), reply(401))
    refused: list[int | None] = []
    for _ in range(4):
        try:
            await client.read_order("A-17")
        except CredentialsError as error:
            refused.append(error.tokens_refused)
        except RewardsUnavailableError:
            refused.clear()
    assert refused == [2]


async def test_an_order_that_was_sent_once_counts_as_sent_when_the_new_token_fails(
    client: RewardsClient, upstream: Upstream
) -> None:
    upstream.on("POST /v1/Tokens", reply(200, {"Value": "t1"}), reply(503))
    upstream.on(CREATE, reply(401))
    with pytest.raises(RewardsUnavailableError) as caught:
        await client.create_order(REQUEST, cleared)
    assert caught.value.sent


async def test_wrong_credentials_are_not_tried_twice(
    client: RewardsClient, upstream: Upstream
) -> None:
    upstream.on("POST /v1/Tokens", reply(401, {"message": "Invalid credentials"}))
    with pytest.raises(CredentialsError, match="Invalid credentials") as caught:
        await client.read_order("A-17")
    assert caught.value.tokens_refused is None
    assert len(upstream.seen) == 1


async def test_without_the_order_guard_nothing_leaves(
    client: RewardsClient, upstream: Upstream
) -> None:
    with pytest.raises(AbandonedError):
        await client.create_order(REQUEST, abandoned)
    assert upstream.asked(CREATE) == []


@pytest.mark.parametrize("raised", [AbandonedError("late"), OSError("x"), ValueError("x")])
async def test_order_guard_lost_while_waiting_for_a_connection_stops_the_request(
    client: RewardsClient, upstream: Upstream, raised: Exception
) -> None:
    calls: list[int] = []

    def lost_at_the_last_moment() -> None:
        calls.append(upstream.connections)
        if len(calls) == 2:
            raise raised

    with pytest.raises(type(raised)) as caught:
        await client.create_order(REQUEST, lost_at_the_last_moment)
    assert caught.value is raised
    assert upstream.asked(CREATE) == []
    upstream.on(CREATE, reply(201, ORDER))
    assert (await client.create_order(REQUEST, cleared)).id == "A-17"


async def test_order_guard_is_asked_again_before_the_repeat(
    client: RewardsClient, upstream: Upstream
) -> None:
    upstream.on(CREATE, reply(401), reply(201, ORDER))

    def lost_after_the_first() -> None:
        if upstream.asked(CREATE):
            abandoned()

    with pytest.raises(AbandonedError):
        await client.create_order(REQUEST, lost_after_the_first)
    assert len(upstream.asked(CREATE)) == 1


async def test_an_api_below_a_path_is_asked_there(
    upstream: Upstream, account: Account, redis: Redis, vault: Vault
) -> None:
    async with http_client(f"{upstream.base_url}/rewards/", 240.0) as http:
        upstream.on("POST /rewards/v1/Tokens", reply(200, {"Value": "x"}))
        assert (await a_client(http, account, redis, vault).create_token()).value == "x"


@pytest.mark.parametrize(
    ("route", "answer"),
    [
        (CREATE, reply(400, {"message": f"no {LINK} {BEARER}"})),
        (CREATE, reply(201, {"Links": [LINK]})),
        (CREATE, reply(500, {"Links": [LINK]})),
        (CREATE, f"HTTP/1.1 {LINK}\r\n\r\n".encode()),
        (CREATE, reply(401, {"message": BEARER})),
        (READ, reply(404, {"message": LINK})),
        (READ, reply(200, {**ORDER, "Id": "other"})),
        (READ, reply(200, ORDER)),
        ("POST /v1/Tokens", reply(401, {"message": ACCESS_TOKEN})),
        ("POST /v1/Tokens", reply(200, {"Value": f"{BEARER}\r\nX: y"})),
        ("POST /v1/Tokens", reply(200, b'{"Value": "%s"' % BEARER.encode())),
    ],
)
async def test_no_log_line_and_no_traceback_holds_a_secret(
    client: RewardsClient,
    upstream: Upstream,
    caplog: pytest.LogCaptureFixture,
    route: str,
    answer: bytes,
) -> None:
    upstream.on(route, answer)
    with caplog.at_level(logging.DEBUG):
        if route == READ:
            told = await _story(lambda: client.read_order("A-17"))
        else:
            told = await _story(lambda: client.create_order(REQUEST, cleared))
    for secret in (LINK, "aaa111", BEARER, ACCESS_TOKEN, "ops@example.com"):
        assert secret not in told
        assert secret not in caplog.text


async def _story(call: Callable[[], object]) -> str:
    try:
        return repr(await call())  # type: ignore[misc]
    except RewardsError as error:
        return "".join(traceback.format_exception(error)) + repr(error)


async def test_the_whole_fleet_gets_one_token(
    valkey_url: str, upstream: Upstream, account: Account, redis: Redis, vault: Vault
) -> None:
    upstream.on(READ, reply(200, ORDER))
    async with http_client(upstream.base_url, 240.0) as http:
        # The lock ends only with the fetching.
        clients = [a_client(http, account, redis, vault, lock_seconds=600.0) for _ in range(5)]
        await asyncio.gather(*(each.read_order("A-17") for each in clients for _ in range(4)))
    assert len(upstream.asked("POST /v1/Tokens")) == 1
    assert BEARER.encode() not in (await redis.get(token_key(account.digest)))
    assert len(upstream.asked(READ)) == 20


def test_the_token_is_not_sent_after_a_redirect(http: httpx.AsyncClient) -> None:
    assert not http.follow_redirects
    assert json.loads(REQUEST.body())["LineItems"][0]["Value"] == 10.5
