"""What an earlier program stored is read by this one, and gone on with."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from pipeline.domain.stored_format import OURS
from tests.end_to_end.support.world import World, open_world
from tests.stored_data.make import (
    BATCHES,
    HALF,
    NEW_NUMBER,
    PAST,
    PAUSED,
    PEOPLE,
    SANDBOX,
    SUPPRESSED,
    WRITTEN_AGAIN,
    address,
    files_of,
    mails,
    people_of,
    phone,
    said,
    settings,
    take_bounce,
)
from worker.valkey.embedded import EmbeddedValkey

_GONE = object()
"""In the place of a member that is not there any more; None is a value."""

KEPT = sorted(folder for folder in Path(__file__).parent.iterdir() if (folder / "state").exists())
assert KEPT, "the kept data folders are gone"


@pytest.fixture(params=KEPT, ids=lambda folder: folder.name)
def kept(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A copy of a data folder, its installation and its sandbox."""
    shutil.copytree(request.param, tmp_path, dirs_exist_ok=True)
    (tmp_path / "state" / "secret.keys").chmod(0o600)  # what git does not keep
    with open_world(tmp_path, *SANDBOX) as here:
        here.env |= settings(here.addresses)
        yield here


def test_a_later_program_reports_the_same_as_the_earlier_one(kept: World) -> None:
    expected = json.loads((kept.directory / "expected.json").read_text("utf-8"))
    assert _what_is_missing(expected, said(kept)) == []
    assert "20/s" in kept.run("limits")


def test_it_goes_on_without_a_second_order_or_a_repeated_message(kept: World) -> None:
    written, ordered = _messages(kept), [order["po"] for order in kept.account()["orders"]]
    open_before, mails_before = _open(written), len(mails(kept))

    kept.run("limits", "set", "email", "unlimited")
    kept.run("resume", PAUSED)
    for name in PEOPLE:
        kept.run("run", *files_of(kept, name), "--yes")

    new = _messages(kept) - written
    assert written <= _messages(kept)
    assert Counter(to for to, _ in new.elements()) == Counter(open_before)
    # Also a mail without a link would be one too many.
    assert len(mails(kept)) - mails_before == sum("@" in to for to in open_before)
    _each_has_one_link(_messages(kept))
    account = kept.account()
    assert [order["po"] for order in account["orders"]][: len(ordered)] == ordered
    assert set(account["posts"].values()) == {1}
    assert len(account["posts"]) == len(account["orders"]) == BATCHES > len(ordered)
    for name in PEOPLE:
        kept.run("verify", name)


def test_it_has_no_mark_of_its_format_until_something_is_changed(kept: World) -> None:
    kept.run("status")
    assert _mark(kept) is None
    kept.run("limits", "set", "email", "unlimited")
    assert _mark(kept) == str(OURS.written).encode()
    kept.run("migrate")


def test_a_mail_of_the_earlier_program_bounces_to_the_later_one(kept: World) -> None:
    sent = next(mail for mail in mails(kept) if f"@{HALF}." in mail["to"])

    assert "recorded" in take_bounce(kept, sent["sender"])

    person = sent["to"].partition("@")[0].replace("person-", "r")
    found = json.loads(kept.run("recipient", HALF, person, "--json"))
    assert [each["status"] for each in found["deliveries"]] == ["bounced"]


def _mark(kept: World) -> object:
    with (
        EmbeddedValkey(kept.directory / "state") as server,
        Redis.from_url(server.start_or_join()) as redis,
    ):
        return redis.hget("cc:keys", "format")


def _messages(kept: World) -> Counter[tuple[str, str]]:
    """Return every mail and every SMS: to whom, and the one link in it."""
    answer = httpx.get(f"{kept.addresses['control_url']}/sms", timeout=60)
    found = mails(kept) + answer.raise_for_status().json()
    return Counter((each["to"], link) for each in found for link in set(each["links"]))


def _open(written: Counter[tuple[str, str]]) -> list[str]:
    """Return the addresses and numbers that a message is still owed to."""
    half = {address(HALF, person) for person in people_of(HALF)}
    paused = {way(PAUSED, person) for person in people_of(PAUSED) for way in (address, phone)}
    return list((half | paused) - {to for to, _ in written} - {SUPPRESSED})


def _each_has_one_link(messages: Iterable[tuple[str, str]]) -> None:
    """Check that everybody has one link over all ways, and that nobody else has it."""
    person_of = {NEW_NUMBER: (PAST, WRITTEN_AGAIN)} | {
        way(name, person): (name, person)
        for name in PEOPLE
        for person in people_of(name)
        for way in (address, phone)
    }
    pairs = {(person_of[to], link) for to, link in messages}
    assert len({person for person, _ in pairs}) == len(pairs) == len({link for _, link in pairs})
    assert len(pairs) == sum(PEOPLE.values()) - 1  # one person is suppressed


def _what_is_missing(expected: Any, found: Any, where: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """Return where *found* differs from *expected*; members that are new are no difference."""
    match expected, found:
        case dict(), dict():
            return [
                problem
                for name, value in expected.items()
                for problem in _what_is_missing(value, found.get(name, _GONE), f"{where}/{name}")
            ]
        case list(), list() if len(expected) == len(found):
            return [
                problem
                for n, pair in enumerate(zip(expected, found, strict=True))
                for problem in _what_is_missing(*pair, f"{where}/{n}")
            ]
        case _:
            return [] if expected == found else [f"{where}: {expected!r} was, {found!r} is"]
