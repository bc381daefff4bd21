"""JSON as the API sends it: read strictly, walked in document order."""

import json
import re
from collections.abc import Iterator

KeyPath = tuple[str, ...]

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # UTF-8 itself cannot hold one


def parse_json(body: bytes) -> object:
    """
    Return the document in *body*, which must be UTF-8.

    Raises ValueError, without a word of the content, for anything that two readers could
    understand differently: a key twice in one object, NaN, half a surrogate pair, bottomless
    nesting.
    """
    try:
        document: object = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_each_key_once, parse_constant=_no_number
        )
        if _ESCAPED_SURROGATE.search(body):
            # Half a surrogate pair is legal in JSON and breaks whatever encodes the text later.
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        msg = "the answer is not JSON that can be read safely"
        raise ValueError(msg) from None
    return document


def leaves(document: object) -> Iterator[tuple[KeyPath, object]]:
    """
    Yield the key path and the value of everything that is no container, in document order.

    The place in a list is not part of a path, so that a list is one path.
    """
    # A stack of our own, since a document may nest deeper than Python calls.
    waiting: list[tuple[KeyPath, object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(((*path, str(key)), value[key]) for key in reversed(value))
        elif isinstance(value, list | tuple):
            waiting.extend((path, inner) for inner in reversed(value))
        else:
            yield path, value


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key stands twice in one object"
        raise ValueError(msg)
    return found


def _no_number(name: str) -> object:
    msg = f"{name} is not a JSON number"
    raise ValueError(msg)
