"""The API's own words, made fit for logs and for people."""

import re
from collections.abc import Iterable, Iterator

from pipeline.rewards.document import leaves, parse_json

_LIMIT = 300
_SAYING = frozenset(
    {"message", "messages", "error", "errors", "error_description", "title", "detail", "details"}
)
_HIDDEN = re.compile(
    r"""
      \S*://\S*                                    # a URL, or most of one
    | \bwww\.\S+
    | \b[\w-]+(?:\.[\w-]+)+/\S*                    # a host and a path without a scheme
    | [^\s<>"'(),;:]+@[^\s<>"'(),;:]+              # an e-mail address
    | \+[\d][\d\s().-]{6,}\d                       # a telephone number
    | \b[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}         # a JSON Web Token
    | \b(?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])\w{16,}   # anything else that looks like a secret
    """,
    re.VERBOSE,
)


def clean(text: str, limit: int = _LIMIT, hidden: Iterable[str] = ()) -> str:
    """Return *text* as one printable line of at most *limit* characters, without secrets."""
    for secret in filter(None, hidden):
        text = text.replace(secret, "[…]")
    # What follows is quadratic on hostile text, and nobody reads further than this anyway.
    text = _HIDDEN.sub("[…]", text[: 4 * limit])
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def api_words(body: bytes, hidden: Iterable[str] = (), *, only_messages: bool = False) -> str:
    """
    Return what an answer that refuses something says, cleaned; empty if it says nothing.

    From JSON these are the messages (or, without any, all its texts, unless *only_messages*), from
    anything but markup the text itself. *hidden* are secrets of the request that the answer may
    echo.
    """
    try:
        said = list(_sayings(parse_json(body), only_messages=only_messages))
    except ValueError:
        text = body.decode(errors="replace").strip()
        said = [] if text.startswith("<") else [text]
    return clean("; ".join(dict.fromkeys(filter(None, said))), hidden=hidden)


def _sayings(document: object, *, only_messages: bool) -> Iterator[str]:
    texts = [(path, text) for path, text in leaves(document) if isinstance(text, str)]
    messages = [text for path, text in texts if _SAYING & {key.casefold() for key in path}]
    yield from messages or (text for _, text in texts if not only_messages)
