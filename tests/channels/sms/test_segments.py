"""How texts are split into segments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import Segments, segments

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"

gsm = st.text(st.sampled_from(BASIC + EXTENSION), max_size=700)
wide = st.text(st.characters(codec="utf-16"), max_size=400).map(lambda text: text + "礼")


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", "gsm7", 0, 1),
        ("a" * 160, "gsm7", 160, 1),
        ("a" * 161, "gsm7", 161, 2),
        ("a" * 306, "gsm7", 306, 2),
        ("a" * 307, "gsm7", 307, 3),
        ("€" * 80, "gsm7", 160, 1),
        ("€" * 81, "gsm7", 162, 2),
        ("€" * 152, "gsm7", 304, 2),
        ("€" * 153, "gsm7", 306, 3),  # an escaped letter is not divided: 76 fit, not 76.5
        ("礼" * 70, "ucs2", 70, 1),
        ("礼" * 71, "ucs2", 71, 2),
        ("礼" * 134, "ucs2", 134, 2),
        ("礼" * 135, "ucs2", 135, 3),
        ("🎁" * 35, "ucs2", 70, 1),
        ("🎁" * 66, "ucs2", 132, 2),
        ("🎁" * 67, "ucs2", 134, 3),  # nor is a surrogate pair: 33 fit
        ("Für Zoë", "ucs2", 7, 1),  # ë is not in the GSM alphabet
        ("Für Zoé", "gsm7", 7, 1),
        ("`", "ucs2", 1, 1),
        ("ç", "ucs2", 1, 1),
    ],
)
def test_known_texts(text: str, encoding: str, units: int, count: int) -> None:
    assert segments(text) == Segments(encoding, units, count)  # type: ignore[arg-type]


def test_alphabet_has_all_its_letters() -> None:
    assert (len(set(BASIC)), len(set(EXTENSION))) == (127, 10)


@given(gsm)
def test_gsm_text_stays_in_septets(text: str) -> None:
    found = segments(text)

    assert found.encoding == "gsm7"
    assert found.units == len(text) + sum(letter in EXTENSION for letter in text)


@given(wide)
def test_other_text_is_counted_as_utf_16(text: str) -> None:
    found = segments(text)

    assert found.encoding == "ucs2"
    assert found.units == len(text.encode("utf-16-le")) // 2


@given(st.one_of(gsm, wide))
def test_segments_hold_the_text_with_no_room_for_another(text: str) -> None:
    found = segments(text)
    alone, each = (160, 153) if found.encoding == "gsm7" else (70, 67)

    if found.units <= alone:
        assert found.count == 1
    else:
        # Each but the last may end one unit short.
        assert found.units <= found.count * each
        assert found.units > (found.count - 1) * (each - 1)


@given(gsm, gsm)
def test_longer_text_never_takes_fewer_segments(text: str, more: str) -> None:
    assert segments(text + more).count >= segments(text).count
