"""Header values as octets: RFC 5322 where ASCII will do, RFC 2047 encoded words elsewhere."""

import re
from binascii import b2a_base64
from email.utils import formatdate
from functools import lru_cache

MAX_LINE = 76
"""Octets in a line that holds encoded words (RFC 2047, section 2)."""

_FRAME = len("=?utf-8?b??=")
_UNSAFE = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# Atoms and spaces (RFC 5322, section 3.2.3); what holds more than that must be quoted.
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_QUOTABLE = re.compile(r'([\\"])')


def single_line(text: str) -> str:
    """Return *text* with runs of spaces, line ends and control characters made one space."""
    if text.isprintable() and "  " not in text:
        return text.strip(" ")
    return _UNSAFE.sub(" ", text).strip(" ")


def unstructured(text: str, column: int) -> bytes:
    """
    Return one line of *text* as the value of a header such as Subject.

    It starts at *column* of its line and is folded; the result ends without a line end.
    """
    text = single_line(text)
    if not _stands_as_it_is(text):
        return encoded_words(text, column)
    if column + len(text) <= MAX_LINE:
        return text.encode("ascii")
    return _folded(text, column)


def mailbox(name: str, address: str, column: int) -> bytes:
    """
    Return `name <address>` for From, To or Reply-To, as `unstructured` does.

    *address* is already fit for a header (see `address.py`); *name* may be anything.
    """
    name, spec = single_line(name), address.encode()
    if not name:
        return spec
    phrase = _phrase(name, column)
    width = len(phrase) - phrase.rfind(b"\n") - 1
    if b"\n" not in phrase:
        width += column
    fits = width + len(spec) + len(" <>") <= MAX_LINE
    return b"%b%b<%b>" % (phrase, b" " if fits else b"\r\n ", spec)


def encoded_words(text: str, column: int) -> bytes:
    """Return *text* in encoded words of UTF-8, none of which splits a character."""
    raw = text.encode()
    room = (MAX_LINE - column - _FRAME) // 4 * 3
    words = []
    while len(raw) > room:
        cut = room
        while raw[cut] & 0xC0 == 0x80:
            cut -= 1
        words.append(_encoded_word(raw[:cut]))
        raw = raw[cut:]
        room = (MAX_LINE - len(" ") - _FRAME) // 4 * 3
    words.append(_encoded_word(raw))
    return b"\r\n ".join(words)


@lru_cache(maxsize=64)
def date(seconds: int) -> bytes:
    """Return the value of a Date header, in UTC, for *seconds* since the epoch."""
    return formatdate(seconds, localtime=False, usegmt=False).replace("-0000", "+0000").encode()


def _phrase(name: str, column: int) -> bytes:
    if not _stands_as_it_is(name) or column + len(name) > MAX_LINE - len('""'):
        return encoded_words(name, column)
    if _ATOMS.fullmatch(name):
        return name.encode("ascii")
    return b'"%b"' % _QUOTABLE.sub(r"\\\1", name).encode("ascii")


def _stands_as_it_is(text: str) -> bool:
    # Mail readers decode what looks like an encoded word, wherever it came from.
    return text.isascii() and "=?" not in text


def _encoded_word(raw: bytes) -> bytes:
    return b"=?utf-8?b?%b?=" % b2a_base64(raw, newline=False)


def _folded(text: str, column: int) -> bytes:
    words = text.split(" ")
    if column + len(words[0]) > MAX_LINE or max(map(len, words)) >= MAX_LINE:
        return encoded_words(text, column)
    lines, width = [words[0]], column + len(words[0])
    for word in words[1:]:
        if width + 1 + len(word) <= MAX_LINE:
            lines[-1] += " " + word
            width += 1 + len(word)
        else:
            lines.append(word)
            width = 1 + len(word)
    return "\r\n ".join(lines).encode("ascii")
