import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.intake import fields
from pipeline.intake.fields import recipient_of

tops = ["com", "museum", "c", "1", "local", "localhost", "test", "invalid", "onion", "arpa"]
locals_ = st.text("az09_.+-", max_size=6) | st.text("aZ.!'é ", max_size=4) | st.just("Info")
labels = st.text("axn09-", max_size=5) | st.sampled_from(["xn--", "ab--c", "b" * 63, "b" * 64])
domains = st.builds(
    lambda names, top: ".".join([*names, top]),
    st.lists(labels, max_size=2),
    st.sampled_from(tops) | labels,
)
almost = st.builds(
    lambda local, domain, end: f"{local}@{domain}{end}",
    locals_,
    domains,
    st.sampled_from(["", "", "", "", "\n", ".", " "]),
)


@settings(deadline=None, max_examples=300)
@given(almost)
@example("a@b.test")
@example(f"{'a' * 59}@b.co")
@example(f"a@{'b' * 64}.co")
@example("a@ab--c.com")
@example("a.@b.com")
def test_emails_are_those_of_the_library_quick_path_or_not(text: str) -> None:
    try:
        expected = validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        with pytest.raises(ValueError, match="is not an e-mail address"):
            fields.email(text)
    else:
        assert fields.email(text) == expected


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Ann.Lee@Example.COM", "Ann.Lee@example.com"),
        ("ann@EXAMPLE.org", "ann@example.org"),
        ("анна@пример.рф", "анна@пример.рф"),
        ("ann@xn--e1afmkfd.xn--p1ai", "ann@пример.рф"),
    ],
)
def test_domain_is_kept_in_lower_case_and_scripts_are_kept(text: str, address: str) -> None:
    assert fields.email(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("ann", "ann@", "@example.com", "ann@example", "a b@example.com", "ann@@example.com"),
        *("ann@example..com", "Ann <ann@example.com>", "ann@localhost", "ann@[127.0.0.1]"),
        *("ann@example.com\r\nBcc: x@example.com", "a" * 400 + "@example.com", "ann@exa mple.com"),
        *("secretname@exämple_secret.com", "a@secret♥.com", "a@xn--secret.com"),
    ],
)
def test_malformed_email_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not an e-mail address: ") as caught:
        fields.email(text)

    assert text not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+14155552671", "+14155552671"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("+39 06 698 12345", "+390669812345"),
        ("+49\u00a030\u00a0901820", "+4930901820"),
        ("+٤٩30901820", "+4930901820"),
    ],
)
def test_phone_is_kept_as_e164(text: str, number: str) -> None:
    assert fields.phone(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("4155559999", "0049 30 901820", "+", "+1", "+14155552", "+1415555267199", "555-1234"),
        *("+999123456789", "+1 800 FLOWERS", "+14155559999 ext. 5", "+1415555 2671/72"),
        *("+1415\n5552671x", "tel:+14155559999", "++14155559999"),
    ],
)
def test_malformed_phone_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"(phone|international) number") as caught:
        fields.phone(text)

    assert text[2:] == "" or text not in str(caught.value)


@given(st.text())
def test_whatever_is_taken_for_a_phone_number_is_e164_and_stays_so(text: str) -> None:
    for candidate in (text, f"+49{text}"):
        try:
            number = fields.phone(candidate)
        except ValueError:
            continue
        assert number[0] == "+"
        assert number[1:].isascii()
        assert number[1:].isdecimal()
        assert fields.phone(number) == number


@pytest.mark.parametrize("name", ["Europe/Paris", "America/Argentina/Ushuaia", "UTC", "Etc/GMT+5"])
def test_iana_time_zones_are_taken(name: str) -> None:
    assert fields.timezone(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "Paris",
        "Europe",
        "europe/nowhere",
        "../etc/passwd",
        "/etc/passwd",
        "Europe/Paris\0",
        "+02:00",
    ],
)
def test_anything_else_is_no_time_zone(name: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        fields.timezone(name)


@pytest.mark.parametrize("text", ["en", "pt-BR", "zh_Hant_TW", "es-419"])
def test_locales_are_taken_loosely(text: str) -> None:
    assert fields.locale(text) == text


@pytest.mark.parametrize("text", ["english (UK)", "e", "en-", "en\nUS"])
def test_what_cannot_be_a_locale_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a locale"):
        fields.locale(text)


def test_all_that_is_wrong_with_a_row_is_found_at_once() -> None:
    _, faults = recipient_of(
        {
            "id": "x" * 201,
            "email": "x",
            "phone": "1",
            "name": "a\nb",
            "locale": "?",
            "timezone": "x/y",
            "note": "two\nlines",
            "city": "\x1b[31m",
        }
    )

    assert [fault.field for fault in faults] == [
        *("id", "email", "phone", "name", "locale", "timezone"),
        "city",
    ]


@pytest.mark.parametrize("text", ["", "  ", "a\u200bb", "a\nb", "x" * 201])
def test_id_must_be_there_printable_and_short(text: str) -> None:
    _, faults = recipient_of({"id": text})

    assert [fault.field for fault in faults] == ["id"]


def test_names_of_any_script_are_taken() -> None:
    # With joiners, which Hindi and Persian need though str.isprintable refuses them.
    for name in ("क्\u200dष", "မောင်\u200cမောင်", "欧阳\u3000娜娜", "Zoë\u00a0Ng"):
        recipient, faults = recipient_of({"id": "1", "name": name})

        assert faults == []
        assert recipient.name == name
