"""How many segments a text is sent in: what an SMS costs is counted in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

# 3GPP TS 23.038, section 6.2.1 without its escape: one septet each.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Section 6.2.1.1: the escape and one more septet.
_EXTENSION = frozenset("\f^{}\\[~]|€")

# 3GPP TS 23.040, section 9.2.3.24.1: 140 octets, less 6 in each of several.
_SEPTETS = (160, 153)
_UCS2 = (70, 67)


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets (gsm7) or 16-bit code units (ucs2) of the whole text."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    count: int


def segments(text: str) -> Segments:
    """
    Return how *text* is split: pure, for any text; an empty one is one segment.

    One letter outside of the GSM alphabet makes the whole text UCS-2. An escaped letter or a
    surrogate pair is never divided between two segments, so that a segment may end short.
    """
    if all(letter in _BASIC or letter in _EXTENSION for letter in text):
        return _split("gsm7", [2 if letter in _EXTENSION else 1 for letter in text], *_SEPTETS)
    return _split("ucs2", [2 if ord(letter) > 0xFFFF else 1 for letter in text], *_UCS2)


def _split(encoding: Literal["gsm7", "ucs2"], sizes: list[int], alone: int, each: int) -> Segments:
    units = sum(sizes)
    return Segments(encoding, units, 1 if units <= alone else _filled(sizes, each))


def _filled(sizes: Iterable[int], each: int) -> int:
    count, used = 1, 0
    for size in sizes:
        if used + size > each:
            count, used = count + 1, 0
        used += size
    return count
