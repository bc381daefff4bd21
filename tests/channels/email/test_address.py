import pytest
from email_validator import validate_email

from channels.email.address import Mailbox, is_wire_form, wire_form
from pipeline.domain.errors import InputError, PermanentError


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ada@example.com", "ada@example.com"),
        ("a.b+c'd@sub.example.com", "a.b+c'd@sub.example.com"),
        ("ada@müller.example", "ada@xn--mller-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),  # IDNA 2008 keeps the ß
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
def test_domain_goes_out_in_ascii(address: str, expected: str) -> None:
    validate_email(address, check_deliverability=False, test_environment=True)

    assert wire_form(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "a b@example.com",
        "ada@example.com\r\nBcc: x@example.com",
        "ada@example.com> SIZE=1",
        "a<b@example.com",
        "a,b@example.com",
        "ada@exam\u0000ple.com",
        "ada\u2028@example.com",
        "ada\ud800@example.com",
        "ada@-example.com",
        "ada@ex ample.com",
        "ada@..müller.example",
        "a" * 65 + "@example.com",
        "a@" + "b" * 253,
        "ü" * 60 + "@" + "b" * 180,
    ],
)
def test_address_that_could_break_out_is_refused_without_being_quoted(address: str) -> None:
    with pytest.raises(PermanentError, match=r"^bad_address: ") as caught:
        wire_form(address)

    assert not is_wire_form(address)
    assert not address or address not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("help@example.com", "", "help@example.com"),
        ("<help@example.com>", "", "help@example.com"),
        ("Help desk <help@example.com>", "Help desk", "help@example.com"),
        ('"Help, desk" <help@example.com>', "Help, desk", "help@example.com"),
        ('"The \\"Desk\\"" <help@example.com>', 'The "Desk"', "help@example.com"),
        ("Büro <help@müller.example>", "Büro", "help@xn--mller-kva.example"),
    ],
)
def test_mailbox_is_read_with_and_without_a_name(text: str, name: str, address: str) -> None:
    assert Mailbox.parse(text, where="sender") == Mailbox(name, address)


@pytest.mark.parametrize("text", ["", "Help desk", "a@b@c", "A <a@b", "büro@example.com", "<>"])
def test_unusable_mailbox_is_named_by_its_place(text: str) -> None:
    with pytest.raises(InputError, match=r"^email\.reply_to must be an e-mail address"):
        Mailbox.parse(text, where="email.reply_to")
