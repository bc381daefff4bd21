"""What is composed is read back by the standard library's parser, which shares no code with it."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.address import Mailbox
from channels.email.headers import single_line
from channels.email.mime import EmailComposer
from pipeline.domain.campaign import EmailContent
from pipeline.domain.errors import InputError, PermanentError
from pipeline.domain.models import ChannelName, Recipient, ReturnPaths, delivery_key

LINK = "https://claim.example.com/c/abc?x=1&y=2"
KEY = delivery_key("camp", "r1", ChannelName.EMAIL)
SENDER = Mailbox("Prämien, Team", "rewards@xn--mller-kva.example")
AT = 1763812800.9

words = st.text() | st.text("aé山😀 .\r\n\0\u2028\x85=?-_<&>\"'{%}", max_size=60)


def content(**changes: str | None) -> EmailContent:
    values: dict[str, str | None] = {
        "subject": "Your reward, {{ name }}",
        "text": "Hello {{ name }},\nyour reward: {{ link }}\n",
        "html": '<p>Hello {{ name }}, <a href="{{ link }}">your reward</a></p>\n',
        **changes,
    }
    return EmailContent.model_validate(values)


def recipient(*, name: str = "Ada", email: str = "ada@example.com") -> Recipient:
    return Recipient(id="r1", email=email, name=name)


def composed(
    mail: EmailContent | None = None, to: Recipient | None = None, link: str = LINK
) -> bytes:
    composer = EmailComposer(mail or content(), SENDER)
    return composer.compose(to or recipient(), link, KEY, sent_at=AT).content


def read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return cast("str", cast("EmailMessage", part).get_content()).replace("\r\n", "\n")


def canonical(text: str) -> str:
    """Return *text* as any MIME text is: lines ended alike, the last one too."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.encode(errors="replace").decode()
    return text if text.endswith("\n") else text + "\n"


def assert_fit_for_the_wire(raw: bytes) -> None:
    assert raw.endswith(b"\r\n")
    lines = raw.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 998
    assert b"\0" not in raw
    assert raw.isascii()


def test_message_has_the_headers_of_bulk_mail_and_each_once() -> None:
    mail = read(composed(content(reply_to="Hilfe <help@example.com>")))

    assert {name: str(value) for name, value in mail.items()} == {
        "Date": "Sat, 22 Nov 2025 12:00:00 +0000",
        "Message-ID": f"<{KEY}@xn--mller-kva.example>",
        "To": "Ada <ada@example.com>",
        "Subject": "Your reward, Ada",
        "From": '"Prämien, Team" <rewards@xn--mller-kva.example>',
        "Reply-To": "Hilfe <help@example.com>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": mail["Content-Type"],
    }
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_link_is_exact_in_text_and_escaped_in_html() -> None:
    mail = read(composed())

    assert body(mail, "plain") == f"Hello Ada,\nyour reward: {LINK}\n"
    assert 'href="https://claim.example.com/c/abc?x=1&amp;y=2"' in body(mail, "html")


def test_message_without_html_is_a_single_part() -> None:
    mail = read(composed(content(html=None)))

    assert mail.get_content_type() == "text/plain"
    assert mail["Content-Transfer-Encoding"] == "7bit"
    assert body(mail, "plain") == f"Hello Ada,\nyour reward: {LINK}\n"


@given(name=words, extra=words)
def test_any_text_arrives_as_it_was_written(name: str, extra: str) -> None:
    to = recipient(name=name)
    mail = content(text=f"{{% raw %}}{extra.replace('%}', '')}{{% endraw %}}|{{{{ name }}}}")

    raw = composed(mail, to)

    assert_fit_for_the_wire(raw)
    expected = mail.text.removeprefix("{% raw %}").replace("{% endraw %}|{{ name }}", "|")
    # The template language itself makes one kind of line end of all in the template.
    assert body(read(raw), "plain") == canonical(expected + name)


@given(name=words)
def test_no_value_can_add_a_header_or_a_part(name: str) -> None:
    plain, odd = read(composed()), read(composed(to=recipient(name=name, email="a@b.example")))

    assert odd.keys() == plain.keys()
    assert len(list(odd.walk())) == len(list(plain.walk()))
    assert not any(part.defects for part in odd.walk())


@given(name=words)
def test_subject_arrives_as_one_line(name: str) -> None:
    raw = composed(to=recipient(name=name))
    line = raw.partition(b"\r\nSubject: ")[2].partition(b"\r\nFrom: ")[0].replace(b"\r\n", b"")

    subject = str(make_header(decode_header(line.decode("ascii"))))

    assert subject == single_line(f"Your reward, {name}")


def test_value_that_holds_the_boundary_cannot_end_the_part() -> None:
    boundary = str(read(composed()).get_boundary())
    name = f"x\r\n--{boundary}--\r\n"

    mail = read(composed(to=recipient(name=name)))

    assert body(mail, "plain").startswith(f"Hello x\n--{boundary}--\n")
    assert boundary in body(mail, "html")


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Ada", "7bit"),
        ("x" * 900, "7bit"),
        ("x" * 999, "base64"),
        ("Zoë", "base64"),
        ("\0", "base64"),
    ],
)
def test_each_part_has_the_cheapest_encoding_that_is_safe(name: str, encoding: str) -> None:
    raw = composed(content(text="{{ name }}"), recipient(name=name))

    assert_fit_for_the_wire(raw)
    assert next(read(raw).iter_parts())["Content-Transfer-Encoding"] == encoding


def test_value_is_neither_rendered_nor_made_markup() -> None:
    mail = read(composed(to=recipient(name="{{ link }}<script>")))

    assert body(mail, "plain").startswith("Hello {{ link }}<script>,")
    assert "Hello {{ link }}&lt;script&gt;," in body(mail, "html")


def test_same_arguments_give_the_same_octets() -> None:
    assert composed() == composed()


def test_unsubscribe_headers_are_there_only_when_configured() -> None:
    url = "https://claims.example.com/u/" + "a" * 64
    composer = EmailComposer(content(), SENDER)

    returns = ReturnPaths(unsubscribe=url)
    raw = composer.compose(recipient(), LINK, KEY, sent_at=AT, returns=returns).content

    assert str(read(raw)["List-Unsubscribe"]).strip() == f"<{url}>"
    assert read(raw)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert b"List-Unsubscribe" not in composed()


@pytest.mark.parametrize("url", ["", "https://x.example/\r\nBcc: a@b.example", "https://x/>", "ü"])
def test_unsubscribe_address_cannot_break_out_of_its_header(url: str) -> None:
    composer = EmailComposer(content(), SENDER)

    with pytest.raises(PermanentError, match="bad_unsubscribe"):
        composer.compose(recipient(), LINK, KEY, sent_at=AT, returns=ReturnPaths(unsubscribe=url))


def test_international_address_keeps_its_local_part_and_gets_an_ascii_domain() -> None:
    composer = EmailComposer(content(), SENDER)

    message = composer.compose(recipient(email="用户@例子.example"), LINK, KEY, sent_at=AT)

    assert message.to == "用户@xn--fsqu00a.example"
    assert "\r\nTo: Ada <用户@xn--fsqu00a.example>\r\n".encode() in message.content


def test_recipient_without_a_usable_address_is_refused() -> None:
    with pytest.raises(PermanentError, match="bad_address"):
        composed(to=recipient(email="ada@example.com\r\nBcc: x@y.example"))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"subject": "{{ name"}, r"email\.subject, line 1: "),
        ({"text": "a\n{% if %}"}, r"email\.text, line 2: "),
        ({"html": "{{ name|safe }}"}, r"email\.html, line 1: "),
        ({"reply_to": "nobody"}, r"email\.reply_to must be"),
    ],
)
def test_what_cannot_be_used_is_named_when_it_is_compiled(
    change: dict[str, str], place: str
) -> None:
    with pytest.raises(InputError, match=f"^{place}"):
        composed(content(**change))
