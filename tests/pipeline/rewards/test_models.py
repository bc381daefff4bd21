import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.rewards.fields import original_order_id, usable_order_id
from pipeline.rewards.models import (
    LineItem,
    Order,
    OrderRequest,
    Token,
    order_difference,
    read_products,
)

REQUEST = OrderRequest(
    po_number="survey-2026-11-0001", product_id="CVS", value=Decimal("10.00"), quantity=100
)
SHOWN = {
    "Id": "A-17",
    "PONumber": "survey-2026-11-0001",
    "Type": "Links",
    "Status": "Pending",
    "LineItems": [{"ProductId": "CVS", "Value": 10, "Quantity": 100}],
}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def test_the_body_is_what_the_api_documents() -> None:
    assert json.loads(REQUEST.body()) == {
        "Type": "Links",
        "LineItems": [{"ProductId": "CVS", "Value": 10, "Quantity": 100}],
        "PONumber": "survey-2026-11-0001",
    }
    with_webhook = REQUEST.model_copy(update={"webhook_url": "https://us.example/hook/s3cret"})
    assert json.loads(with_webhook.body())["WebhookSettings"] == {
        "FulfillmentComplete": "https://us.example/hook/s3cret"
    }
    assert "s3cret" not in repr(with_webhook)


def test_the_payload_hash_is_the_same_for_ever() -> None:
    # printf '["Links", [["CVS", "10", 100]], "survey-2026-11-0001"]' | sha256sum
    assert REQUEST.payload_hash() == (
        "320ffe69b14bbcdf1cee98ecb51fa745e32f04e75bc7d6aec60fc26344d413fa"
    )


def test_the_payload_hash_is_of_what_is_bought_and_nothing_else() -> None:
    def changed(**fields: object) -> str:
        return REQUEST.model_copy(update=fields).payload_hash()

    same = {
        REQUEST.payload_hash(),
        changed(value=Decimal(10)),
        changed(value=Decimal("1E+1")),
        changed(webhook_url="https://us.example/hook"),
    }
    other = {
        changed(value=Decimal("10.01")),
        changed(quantity=99),
        changed(product_id="CVS2"),
        changed(po_number="survey-2026-11-0002"),
    }
    assert len(same) == 1
    assert len(other - same) == 4


@given(
    st.decimals("0.01", "9999999.99", places=2),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=200),
)
def test_the_value_is_written_exactly(value: Decimal, product_id: str) -> None:
    request = OrderRequest(po_number='"po\\', product_id=product_id, value=value, quantity=1)
    written = json.loads(request.body(), parse_float=Decimal, parse_int=Decimal)
    assert written["LineItems"][0] == {"ProductId": product_id, "Value": value, "Quantity": 1}
    assert written["PONumber"] == '"po\\'


@pytest.mark.parametrize("wrong", [{"quantity": 0}, {"value": Decimal(0)}, {"po_number": ""}])
def test_an_order_of_nothing_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OrderRequest.model_validate({**REQUEST.model_dump(), **wrong})


def test_an_order_is_read_from_the_documented_form() -> None:
    order = Order.read(SHOWN)
    assert (order.id, order.status, order.type) == ("A-17", "Pending", "Links")
    assert order.items == (LineItem(product_id="CVS", value=Decimal(10), quantity=100),)
    assert order.document is SHOWN
    assert "LineItems" not in repr(order)


def test_letter_case_unknown_fields_and_odd_types_do_no_harm() -> None:
    order = Order.read(
        {
            "ID": 17,
            "status": 3,
            "ponumber": 5,
            "Type": {"Name": "Links"},
            "lineItems": [{"value": "10.00", "quantity": "100", "New": {}}, "x", None],
            "document": "a field of theirs",
        }
    )
    assert (order.id, order.status, order.po_number, order.type) == ("17", "3", "5", None)
    assert order.items == (LineItem(value=Decimal("10.00"), quantity=100),)


def test_the_documented_spelling_wins_over_another_beside_it() -> None:
    assert Order.read({"id": "wrong", "Id": "right", "ID": "wrong"}).id == "right"


@pytest.mark.parametrize(
    "shown",
    [
        None,
        [],
        "x",
        {},
        {"Id": None},
        {"Id": ""},
        {"Id": ".."},
        {"Id": "https://claim.example/1"},
        {"Id": 1.5},
        {"Id": []},
    ],
)
def test_an_answer_without_a_usable_id_is_no_order(shown: object) -> None:
    with pytest.raises(ValueError, match=r"order|Id\n"):
        Order.read(shown)


@given(st.dictionaries(st.sampled_from([*SHOWN, "id", "lineitems"]), anything) | anything)
def test_any_document_is_an_order_or_a_value_error(document: object) -> None:
    try:
        order = Order.read(document)
    except ValueError:
        return
    assert usable_order_id(order.id) == order.id
    order_difference(order, REQUEST)


def test_an_order_that_shows_what_was_ordered_does_not_differ() -> None:
    assert order_difference(Order.read(SHOWN), REQUEST) is None
    halves = [{"ProductId": "CVS", "Value": "10.00", "Quantity": 50}] * 2
    assert (
        order_difference(Order.read({**SHOWN, "type": "LINKS", "LineItems": halves}), REQUEST)
        is None
    )


@pytest.mark.parametrize("missing", ["Type", "LineItems", "Status"])
def test_a_missing_field_is_no_difference(missing: str) -> None:
    shown = {key: value for key, value in SHOWN.items() if key != missing}
    assert order_difference(Order.read(shown), REQUEST) is None


@pytest.mark.parametrize("items", [[], [{}], [{"Quantity": None}], [{"ProductId": "CVS"}], {}])
def test_items_without_details_are_no_difference(items: object) -> None:
    assert order_difference(Order.read({**SHOWN, "LineItems": items}), REQUEST) is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("PONumber", None, "the PO number is missing"),
        ("PONumber", "Survey-2026-11-0001", "the PO number differs"),
        ("Type", "DigitalDelivery", "the type is DigitalDelivery instead of Links"),
    ],
)
def test_another_head_is_a_difference(field: str, value: object, words: str) -> None:
    assert order_difference(Order.read({**SHOWN, field: value}), REQUEST) == words


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"ProductId": "WMT"}, "the product is WMT"),
        ({"Value": 25}, "the value is 25 instead of 10.00"),
        ({"Value": {"Amount": 10}}, "the value is NaN instead of 10.00"),
        ({"Value": "1e999999999"}, "the value is NaN instead of 10.00"),
        ({"Quantity": 99}, "the quantity is 99 instead of 100"),
        ({"Quantity": "many"}, "the quantity is 0 instead of 100"),
        ({"ProductId": "https://claim.example/aaa111"}, "the product is […]"),
    ],
)
def test_another_item_is_a_difference(item: dict[str, object], words: str) -> None:
    items = [{"ProductId": "CVS", "Value": 10, "Quantity": 100, **item}]
    assert order_difference(Order.read({**SHOWN, "LineItems": items}), REQUEST) == words


def test_a_second_item_of_another_kind_is_a_difference() -> None:
    items = [{"ProductId": "CVS", "Quantity": 100}, {"ProductId": "WMT"}]
    assert (
        order_difference(Order.read({**SHOWN, "LineItems": items}), REQUEST)
        == "the product is WMT"
    )
    for more in ([{"Quantity": 100}, {"Quantity": 1}], [{"Quantity": 101}, {}]):
        assert "is 101" in str(order_difference(Order.read({**SHOWN, "LineItems": more}), REQUEST))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"Id": "A-17"}, "A-17"),
        ({"id": 17}, "17"),
        ({"ID": "x", "Message": "duplicate"}, "x"),
        ({"error": {"Id": "deep"}}, "deep"),
        ({"Id": "top", "LineItems": [{"Id": "deep"}]}, "top"),
        ({"a": {"Id": 1}, "b": {"Id": 2}}, None),
        ({"Id": "1", "ID": "2"}, None),
        ({"Id": None}, None),
        ({"Id": "."}, None),
        ({"Id": "a\nb"}, None),
        ({"Id": True}, None),
        ({"OrderNumber": 5}, None),
        ("A-17", None),
        ([], None),
    ],
)
def test_the_original_order_is_named_without_doubt_or_not_at_all(
    document: object, expected: str | None
) -> None:
    assert original_order_id(document) == expected


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3600, 3600),
        ("120", 120),
        (None, 300),
        (0, 300),
        (-5, 300),
        ("soon", 300),
        (True, 300),
        (float("nan"), 300),
        (float("inf"), 300),
        (10**30, 300),
        (3_600_000, 86_400),
        ({}, 300),
    ],
)
def test_an_odd_life_of_a_token_is_a_short_one(expires_in: object, seconds: float) -> None:
    assert Token.model_validate({"Value": "x", "ExpiresIn": expires_in}).expires_in == seconds


def test_a_token_without_a_life_is_short_lived_and_never_shown() -> None:
    token = Token.model_validate({"Value": "s3cret.token"})
    assert token.expires_in == 300
    assert "s3cret" not in repr(token)


@pytest.mark.parametrize("value", ["", "two words", "line\r\nbreak", "end\n", "ü", None, 5])
def test_a_token_that_no_header_can_carry_is_refused_unseen(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Token.model_validate({"Value": value, "ExpiresIn": 3600})
    assert "input_value" not in str(caught.value)


def test_products_are_read_from_a_list_or_its_envelope() -> None:
    entries = [{"Id": "CVS", "Denominations": [5, "10.00", 2.5]}, {"Name": "no id"}, 7]
    for document in (entries, {"Products": entries, "Count": 3}):
        (product,) = read_products(document)
        assert product.denominations == (Decimal(5), Decimal("10.00"), Decimal("2.5"))


@pytest.mark.parametrize("document", [None, {}, "x", {"a": [], "b": []}])
def test_without_one_list_there_are_no_products_to_read(document: object) -> None:
    with pytest.raises(ValueError, match="list of products"):
        read_products(document)


@given(anything)
def test_any_entry_is_a_product_or_left_out(entry: object) -> None:
    assert len(read_products([entry, {"Id": "CVS", "Name": entry}])) in {1, 2}
