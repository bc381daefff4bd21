"""The messages of the API, made fit for logs and for people."""

from collections.abc import Iterable, Iterator

from pipeline.domain.safe_text import clean
from pipeline.rewards.document import leaves, parse_json

_SAYING = frozenset(
    {"message", "messages", "error", "errors", "error_description", "title", "detail", "details"}
)


def api_words(body: bytes, hidden: Iterable[str] = (), *, only_messages: bool = False) -> str:
    """
    Return what an answer that refuses something says, cleaned; empty if it says nothing.

    From JSON these are the messages (or, without any, all its texts, unless *only_messages*), from
    anything but markup the text itself. *hidden* are secrets of the request that the answer may
    echo.
    """
    try:
        said = list(_messages(parse_json(body), only_messages=only_messages))
    except ValueError:
        text = body.decode(errors="replace").strip()
        said = [] if text.startswith("<") else [text]
    return clean("; ".join(dict.fromkeys(filter(None, said))), hidden=hidden)


def _messages(document: object, *, only_messages: bool) -> Iterator[str]:
    texts = [(path, text) for path, text in leaves(document) if isinstance(text, str)]
    messages = [text for path, text in texts if _SAYING & {key.casefold() for key in path}]
    yield from messages or (text for _, text in texts if not only_messages)
