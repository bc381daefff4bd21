"""What a request brings: a body of bounded size, and the form in it."""

from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request

LARGEST_BODY = 1 << 16

_MOST_FIELDS = 200


async def body_of(request: Request, largest: int = LARGEST_BODY) -> bytes:
    """Return the body; raises HTTPException 413 if it has more than *largest* bytes."""
    declared = request.headers.get("content-length", "0")
    if int(declared) > largest:  # the parser has refused what is no number
        raise HTTPException(413)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise HTTPException(413)
    return bytes(body)


async def form_of(request: Request) -> ImmutableMultiDict[str, str]:
    """Return the fields of a URL-encoded form; raises HTTPException 400 or 413."""
    body = await body_of(request)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "The body must be a URL-encoded form in UTF-8.") from error
    return ImmutableMultiDict(pairs)
