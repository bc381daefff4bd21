"""
Finding the claim links in an order: exactly as many as were ordered, or none at all.

A wrong guess here gives somebody's money to somebody else, so whatever can be read in two ways is
a LinksProblem, and `CLAIMCAST_REWARDS__LINKS_PATH` settles it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

import jmespath
from jmespath.parser import ParsedResult

from pipeline.domain.errors import ClaimcastError, InputError
from pipeline.rewards.document import KeyPath, leaves

_MEMBERS = frozenset({"url", "link", "uri"})
# Names of links that no one can claim. They never settle anything in favour of their path.
_OTHER_MEANING = re.compile(
    r"terms|condition|polic|privacy|logo|image|thumb|self|help|support|faq|product|webhook"
    r"|callback|track|linkedin"
)
_LONGEST_URL = 2048
_FORBIDDEN = frozenset(' <>"\\^`{|}')
_PLAIN_KEY = re.compile(r"[A-Za-z_]{1,24}")

_PLAIN_URL = re.compile(r"https://([a-z0-9][a-z0-9.-]*[a-z0-9])(/[A-Za-z0-9/_.~-]*)")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")

Origin = tuple[str, int]
Candidates = Mapping[KeyPath, Sequence[str]]


class LinksProblem(ClaimcastError):  # noqa: N818 - nothing failed: the batch waits or is held
    """
    The order does not hold exactly its links; `code` says in which way.

    `links_missing`, `links_short` (these two may settle by reading again), `links_many`,
    `links_duplicate`, `links_not_https`, `links_ambiguous`, `links_mixed_origins`,
    `links_path_invalid`. `found` is how many there were. No text holds a link.
    """

    def __init__(self, code: str, explanation: str, *, found: int = 0) -> None:
        super().__init__(f"{code}: {explanation}")
        self.code = code
        self.explanation = explanation
        self.found = found


def compile_path(path: str) -> ParsedResult:
    """Check a JMESPath at start-up; raises InputError with what is wrong with it."""
    try:
        return jmespath.compile(path)
    except Exception as error:
        msg = (
            "CLAIMCAST_REWARDS__LINKS_PATH is not a JMESPath such as LineItems[].Links[].Url:"
            f" {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        )
        raise InputError(msg) from error


def extract_links(document: object, quantity: int, *, path: str | None) -> tuple[str, ...]:
    """
    Return the *quantity* claim links of an order, in document order.

    Without a *path* they are the URLs under one key path whose last named key contains "link" (or
    its Url, Link or Uri member), in the line items, else at the top level, all of one origin.
    *path* is a JMESPath to the links, of any origin. Raises LinksProblem, and nothing else,
    unless there are exactly *quantity* distinct https links.
    """
    texts = _at_path(document, path) if path is not None else _find_candidate(document, quantity)
    links = _present(texts)
    origins = _check(links, quantity)
    if path is None and len(origins) > 1:
        msg = f"the links lead to {len(origins)} different hosts"
        raise LinksProblem("links_mixed_origins", msg, found=len(links))
    return tuple(links)


def _present(texts: Iterable[str]) -> list[str]:
    return [text.strip() for text in texts if text.strip()]


def _at_path(document: object, path: str) -> list[str]:
    try:
        found = list(leaves(jmespath.search(path, document)))
    except Exception:  # noqa: BLE001 - its functions raise whatever their operand provokes
        msg = "the path to the links cannot be followed in this order"
        raise LinksProblem("links_path_invalid", msg) from None
    if any(keys or not isinstance(value, str | None) for keys, value in found):
        msg = "the path leads to something other than texts; it must end at the links themselves"
        raise LinksProblem("links_path_invalid", msg)
    return [value for _, value in found if isinstance(value, str)]


def _find_candidate(document: object, quantity: int) -> Sequence[str]:
    items, top = _candidates(document)
    chosen = _single_candidate(items or top)
    # Stricter than "line items first": another list of the right size may be the true one.
    if items and any(_conflicts(chosen, other, quantity) for other in top.values()):
        msg = "the line items and the top level of the order show different links"
        raise LinksProblem("links_ambiguous", msg, found=len(chosen))
    return chosen


def _conflicts(chosen: Sequence[str], other: Sequence[str], quantity: int) -> bool:
    return len(_present(other)) == quantity and _present(other) != _present(chosen)


def _single_candidate(candidates: Candidates) -> Sequence[str]:
    if not candidates:
        raise LinksProblem("links_missing", "the order shows no links")
    named = " and ".join(_shown(path) for path in list(candidates)[:3])
    if len(candidates) > 1:
        msg = f"{len(candidates)} places may hold the links: {named}"
        raise LinksProblem("links_ambiguous", msg)
    (path, texts), *_ = candidates.items()
    if any(_OTHER_MEANING.search(key.casefold()) for key in path):
        raise LinksProblem("links_ambiguous", f"the only links are at {named}, no claim links")
    return texts


def _candidates(document: object) -> tuple[Candidates, Candidates]:
    """Return the texts under each path that may hold links: in the line items, at the top."""
    items: dict[KeyPath, list[str]] = {}
    top: dict[KeyPath, list[str]] = {}
    texts: dict[KeyPath, list[str]] = {}
    for path, value in leaves(document) if isinstance(document, dict) else ():
        texts.setdefault(path, []).append(_as_text(value))
    for path, found in texts.items():
        if _names_links(path) and path[0].replace("_", "").casefold() == "lineitems":
            items[path] = found
        elif _names_links(path) and len(path) <= 2 and "link" in path[0].casefold():
            top[path] = found
    return _with_urls(items), _with_urls(top)


def _names_links(path: KeyPath) -> bool:
    parent, last = ("", *path)[-2:]
    is_member = last.casefold() in _MEMBERS and "link" in parent.casefold()
    return is_member or "link" in last.casefold()


def _as_text(value: object) -> str:
    """Return what stands where a link should: nothing for null, no URL for a number."""
    if value is None:
        return ""
    return value if isinstance(value, str) else type(value).__name__


def _with_urls(candidates: Candidates) -> Candidates:
    """Leave out the paths without a single URL: a LinkType or LinkId is no link."""
    return {
        path: texts
        for path, texts in candidates.items()
        if any("://" in text or text.lstrip().startswith("//") for text in texts)
    }


def _check(links: Sequence[str], quantity: int) -> set[Origin]:
    """Return the origins of *links*; raises LinksProblem unless they are what was ordered."""
    found = len(links)
    if not links:
        raise LinksProblem("links_missing", "the order shows no links")
    urls = [url for url in map(_https, links) if url is not None]
    if len(urls) < found:
        msg = f"{found - len(urls)} of {found} links are no proper https URLs"
        raise LinksProblem("links_not_https", msg, found=found)
    distinct = len({_identity(url) for url in urls})
    if distinct < found:
        msg = f"only {distinct} of {found} links are different"
        raise LinksProblem("links_duplicate", msg, found=found)
    if found != quantity:
        code = "links_short" if found < quantity else "links_many"
        raise LinksProblem(code, f"{quantity} links were ordered and {found} shown", found=found)
    return {_origin(url) for url in urls}


def _https(link: str) -> SplitResult | None:
    """Return the parts of a URL that every reader understands alike, or None."""
    if len(link) > _LONGEST_URL:
        return None
    plain = _PLAIN_URL.fullmatch(link)  # as nearly every link is; the rest takes thrice the time
    if plain is None and (not link.isprintable() or _FORBIDDEN & set(link)):
        return None
    try:
        url = SplitResult("https", plain[1], plain[2], "", "") if plain else urlsplit(link)
        host, _ = _origin(url)
    except ValueError:  # a port or a host that cannot be
        return None
    # What stands before an @ is read as the host by people, and by some programs.
    proper = url.scheme == "https" and "@" not in url.netloc and _HOST.fullmatch(host)
    return url if proper else None


def _origin(url: SplitResult) -> Origin:
    return _origin_of(url.netloc)


@lru_cache(maxsize=64)  # the links of an order lead to one host
def _origin_of(netloc: str) -> Origin:
    url = SplitResult("https", netloc, "", "", "")
    host = (url.hostname or "").rstrip(".")
    return host if ":" in host else host.encode("idna").decode().lower(), url.port or 443


def _identity(url: SplitResult) -> tuple[Origin, str, str, str]:
    """Return what makes the link another link: not its host's letter case or its escapes."""
    path, query, fragment = (
        unquote(part, errors="surrogateescape") for part in (url.path, url.query, url.fragment)
    )
    return _origin(url), path.rstrip("/"), query, fragment


def _shown(path: KeyPath) -> str:
    """Name a path for people; a key that may be more than a name becomes a star."""
    return ".".join(key if _PLAIN_KEY.fullmatch(key) else "*" for key in path)
