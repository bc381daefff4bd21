"""What providers say is passed on without the links and addresses in it."""

from hypothesis import given
from hypothesis import strategies as st

from channels.provider_text import redact_reply

LINK = "https://claim.example.com/c/9f3kQ-77?x=1"


@given(before=st.text(), after=st.text(), echo=st.sampled_from(["{}", "<{}>", "url={};"]))
def test_detail_holds_no_link_or_address_that_the_server_echoes(
    before: str, after: str, echo: str
) -> None:
    secrets = [LINK, LINK.partition("//")[2], LINK.upper(), "ada.lovelace@example.com"]
    for secret in secrets:
        detail = redact_reply(f"{before} {echo.format(secret)} {after}")
        for part in ("claim", "9f3kq", "lovelace"):
            by_chance = before.lower().count(part) + after.lower().count(part)
            assert detail.lower().count(part) <= by_chance


@given(text=st.text())
def test_detail_is_short_and_one_line(text: str) -> None:
    detail = redact_reply(text * 20)

    assert len(detail) <= 200
    assert not any(char < " " or char == "\x7f" for char in detail)


def test_detail_keeps_what_an_operator_needs() -> None:
    text = "5.7.1 Service unavailable;\nClient host [10.1.2.3] blocked using zen.example.org"

    assert redact_reply(text) == text.replace("\n", " ")


@given(text=st.text(alphabet="aZ0 .,:;()[]<>=_+-", max_size=190))
def test_ordinary_words_are_kept_as_they_are(text: str) -> None:
    assert redact_reply(text) == " ".join(text.split())


@given(before=st.text(alphabet="aZ0 .,:;()", max_size=40))
def test_a_bare_host_is_no_ordinary_word(before: str) -> None:
    assert "secret" not in redact_reply(f"{before} www.x.example.secret")
