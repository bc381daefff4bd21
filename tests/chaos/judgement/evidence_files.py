"""The evidence on disk: one folder per run, which the judge can be called to again."""

import csv
import email
import email.policy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos.judgement.evidence import (
    Arrival,
    Evidence,
    Freeze,
    Line,
    Order,
    Person,
    Rules,
    Start,
    Trouble,
)

_URL = re.compile(r"https?://[^\s\"'<>()\[\]{}]+")
_LINK = re.compile(r"https://claim\.")


def read(folder: Path) -> Evidence:
    """
    Read what a run left in *folder*.

    campaigns.json, <campaign>.csv (the lists), account.json and sms.json (the sandbox's account),
    sandbox/Maildir, <campaign>.report.csv, attempts.json and events.json.
    """
    campaigns = {
        each["id"]: Rules(id=each["id"], people=each["people"], hold=frozenset(each["hold"]))
        for each in _json(folder / "campaigns.json")
    }
    events = _json(folder / "events.json")
    return Evidence(
        campaigns=campaigns,
        people=[person for name in campaigns for person in _people(folder, name)],
        orders=[
            Order(po=each["po"], quantity=each["quantity"], links=tuple(each["links"]))
            for each in _json(folder / "account.json")["orders"]
        ],
        arrivals=[*_mails(folder / "sandbox" / "Maildir"), *_texts(folder)],
        lines=[line for name in campaigns for line in _lines(folder, name)],
        starts=[Start(**each) for each in _json(folder / "attempts.json")],
        freezes=[Freeze(**each) for each in events["freezes"]],
        troubles=[Trouble(**each) for each in events["troubles"]],
    )


def _json(path: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads(path.read_text("utf-8"))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _people(folder: Path, campaign: str) -> Iterator[Person]:
    for row in _rows(folder / f"{campaign}.csv"):
        yield Person(campaign=campaign, id=row["id"], email=row["email"], phone=row["phone"])


def _lines(folder: Path, campaign: str) -> Iterator[Line]:
    for row in _rows(folder / f"{campaign}.report.csv"):
        yield Line(
            campaign=campaign,
            person=row["recipient_id"],
            channel=row["channel"],
            status=row["status"],
            code=row["code"],
            link=row["link"],
        )


def _texts(folder: Path) -> Iterator[Arrival]:
    for each in _json(folder / "sms.json"):
        yield Arrival(
            channel="sms",
            to=each["to"],
            links=_links(each["body"]),
            at=each["created_at"],
        )


def _mails(maildir: Path) -> Iterator[Arrival]:
    for path in maildir.glob("new/*"):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = message.get_body(("plain",))
        yield Arrival(
            channel="email",
            to=str(message["Delivered-To"]),
            links=_links(body.get_content() if body else ""),
            # A Maildir's file is named by the time of its arrival.
            at=float(re.match(r"\d+\.\d+", path.name)[0]),  # type: ignore[index]
            message_id=str(message["Message-ID"]),
        )


def _links(text: str) -> tuple[str, ...]:
    """Return the claim links in *text*, each once; other URLs may stand there too."""
    found = (url.rstrip(".,;:!?") for url in _URL.findall(text))
    return tuple(dict.fromkeys(url for url in found if _LINK.match(url)))
