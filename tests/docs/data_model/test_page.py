"""What the page says beside its tables is so: examples, layouts, and what is easily mixed up."""

import base64
import re
import zlib

from cryptography.fernet import Fernet

from pipeline.callbacks.signed_tokens import Purpose, SignedTokens, Target
from pipeline.domain.models import ChannelName, DeliveryStatus
from pipeline.domain.vault import Vault
from pipeline.store.formats.records import DeliveryRecord, parse_record
from pipeline.store.formats.sealed_batch import seal_links
from tests.docs.data_model.dictionary.hashes import FIELDS
from tests.docs.data_model.parts import PAGE as PATH
from tests.support.root import ROOT

PAGE = (ROOT / PATH).read_text("utf-8")
KEY = Fernet.generate_key()
VAULT = Vault([KEY.decode()], digest_key=b"k" * 32)


def test_the_record_in_the_example_is_what_the_page_says() -> None:
    [record] = re.findall(r'> HMGET cc:1:d:1 0 1 2\n"([^"]+)"', PAGE)
    assert parse_record(record) == (
        DeliveryRecord(
            channel=ChannelName.EMAIL,
            status=DeliveryStatus.SENT,
            attempt=1,
            started_ms=3532,
            after_ms=13,
        ),
    )
    assert "sent (`s`) an e-mail (`e`), 3,532 ms after `t0`, and the answer took 13 ms" in PAGE


def test_nothing_in_the_example_is_a_link_or_an_address() -> None:
    [example] = re.findall(r"## A campaign at rest\n.*?```\n(.*?)```", PAGE, re.DOTALL)
    assert "http" not in example
    assert not re.search(r"\w@\w", example)


def test_the_fields_that_no_python_names_are_those_of_the_page() -> None:
    program = "".join(
        path.read_text("utf-8")
        for folder in ("pipeline", "worker")
        for path in (ROOT / folder).rglob("*.py")
    )
    [named] = re.findall(
        r"Fields that no program in Python names\*\*: (.*?)\. The", PAGE, re.DOTALL
    )
    fields = re.findall(r"`([^`]+)`", named)
    # These are words of other things in Python, which no attribute is made of.
    others = {"wake", "last"}
    assert {name for name in fields if f'"{name}"' in program} <= others
    unread = {
        field.name
        for key in ("batch_key", "campaign_key", "limiter_key", "breaker_key")
        for field in FIELDS[key]
        if not field.value and not field.python and "<" not in field.name
    }
    assert {name for name in unread if f'"{name}"' not in program} | others == set(fields)


def test_a_signed_token_is_laid_out_as_the_page_says() -> None:
    target = Target(
        serial="258", batch=3, index=4, channel=ChannelName.SMS, resend_number=5, attempt=6
    )
    token = SignedTokens(VAULT).make(Purpose.CALLBACK, target)
    raw = base64.b32decode(token.upper())
    assert (len(token), len(raw)) == (40, 25)
    assert raw[:13] == b"\0\0\1\2" + b"\0\0\0\3" + b"\4" + b"s" + b"\5" + b"\0\6"
    assert raw[13:] == VAULT.digest("token-callback", raw[:13], 12)
    rows = re.findall(r"^\| (\d+) \| ", PAGE.partition("## Signed tokens")[2], re.MULTILINE)
    assert list(map(int, rows)) == [4, 4, 1, 1, 1, 2, 12]
    for purpose in Purpose:
        assert f"`{purpose}`" in PAGE.partition("## Signed tokens")[2]


def test_a_sealed_value_is_laid_out_as_the_page_says() -> None:
    sealed = seal_links(VAULT, "7", 2, ["https://x.example/1", ""])
    assert sealed[:1] == b"\x80"
    plain = zlib.decompress(Fernet(KEY).decrypt(base64.urlsafe_b64encode(sealed)))
    assert plain == b"links:7:2\0https://x.example/1\n"
    assert "zlib of `<purpose> \\0 <content>`" in PAGE
