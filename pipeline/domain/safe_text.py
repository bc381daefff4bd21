"""Foreign text, made fit for logs and for people: no secrets, one line."""

import re
from collections.abc import Iterable

_LIMIT = 300
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
    # The patterns are quadratic on hostile text, and nobody reads further than this anyway.
    text = _HIDDEN.sub("[…]", text[: 4 * limit])
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
