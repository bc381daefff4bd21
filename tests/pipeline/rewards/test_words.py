import json

import pytest

from pipeline.rewards.words import api_words


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"message": "Unknown product."}, "Unknown product."),
        ({"Message": "No.", "other": "not this"}, "No."),
        (
            {"title": "Invalid", "errors": {"$.Value": ["too small", "odd"]}, "traceId": "0a"},
            "Invalid; too small; odd",
        ),
        ({"errors": [{"code": "E1", "detail": "Bad PONumber"}]}, "E1; Bad PONumber"),
        ({"error": "x", "message": "x"}, "x"),
        ({"reason": "only this"}, "only this"),
        ("just text", "just text"),
        ({}, ""),
        ({"message": None}, ""),
    ],
)
def test_the_messages_of_a_json_body_are_its_words(document: object, expected: str) -> None:
    assert api_words(json.dumps(document).encode()) == expected


def test_plain_text_is_its_own_words_and_markup_says_nothing() -> None:
    assert api_words(b"Value  is\r\nnot offered") == "Value is not offered"
    assert api_words(b" <html><title>Bad Gateway</title></html>") == ""
    assert api_words(b"\xff\x00no") == "\N{REPLACEMENT CHARACTER} no"


@pytest.mark.parametrize(
    "secret",
    [
        "https://claim.example/AbC123",
        "HTTPS://claim.example/AbC123",
        "www.claim.example/x",
        "claim.example/AbC123",
        "ann.lee+x@example.co.uk",
        "+1 (555) 010-9999",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
        "Zx81kkQpLw02MnbVt7Ya",
    ],
)
def test_links_addresses_and_tokens_are_removed(secret: str) -> None:
    words = api_words(json.dumps({"message": f"cannot use ({secret}) here"}).encode())
    assert secret.lower() not in words.lower()
    assert words.startswith("cannot use")
    assert "here" in words


def test_secrets_of_the_request_are_removed_whatever_they_look_like() -> None:
    assert api_words(b'{"message": "token abc is odd"}', hidden=["abc", ""]) == "token […] is odd"
