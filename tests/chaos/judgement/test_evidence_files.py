"""The evidence as a run leaves it on disk."""

import json
from pathlib import Path

from tests.chaos.judgement.evidence import (
    Arrival,
    Freeze,
    Line,
    Order,
    Person,
    Rules,
    Start,
    Trouble,
)
from tests.chaos.judgement.evidence_files import read

MAIL = """\
Return-Path: <bounces@example.com>
Delivered-To: a@example.com
Message-ID: <1@x>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="b"

--b
Content-Type: text/plain; charset=utf-8

Hello: https://claim.example/one. Leave: http://127.0.0.1/unsubscribe
--b
Content-Type: text/html

<a href="https://claim.example/one">x</a>
--b--
"""


def test_everything_is_read_as_it_was_left(tmp_path: Path) -> None:
    (tmp_path / "sandbox" / "Maildir" / "new").mkdir(parents=True)
    (tmp_path / "sandbox" / "Maildir" / "new" / "12.500000.P1Q1.sandbox").write_text(MAIL)
    (tmp_path / "c.csv").write_text("id,email,phone,name\nr1,a@example.com,+14155552671,Zoë\n")
    (tmp_path / "c.report.csv").write_text(
        "recipient_id,channel,status,code,link\nr1,email,sent,,https://claim.example/one\n"
    )
    start = {"by": "w", "key": "a@example.com", "at": 12.0, "code": 250, "forwarded": True}
    span = {"by": "w", "start": 1.0, "end": 2.0}
    documents = {
        "campaigns": [{"id": "c", "people": 1, "hold": ["sms"]}],
        "account": {"orders": [{"po": "CC-c-00001", "quantity": 1, "links": ["l"]}]},
        "sms": [{"to": "+14155552671", "body": "https://claim.example/one", "created_at": 13.0}],
        "attempts": [start],
        "events": {"freezes": [span], "troubles": [span]},
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))

    evidence = read(tmp_path)

    links = ("https://claim.example/one",)
    assert evidence.campaigns == {"c": Rules(id="c", people=1, hold=frozenset({"sms"}))}
    assert evidence.people == [
        Person(campaign="c", id="r1", email="a@example.com", phone="+14155552671")
    ]
    assert evidence.orders == [Order(po="CC-c-00001", quantity=1, links=("l",))]
    assert evidence.arrivals == [
        Arrival(channel="email", to="a@example.com", links=links, at=12.5, message_id="<1@x>"),
        Arrival(channel="sms", to="+14155552671", links=links, at=13.0),
    ]
    assert evidence.lines == [
        Line(campaign="c", person="r1", channel="email", status="sent", code="", link=links[0])
    ]
    assert evidence.starts == [
        Start(by="w", key="a@example.com", at=12.0, code=250, forwarded=True)
    ]
    assert evidence.freezes == [Freeze(by="w", start=1.0, end=2.0)]
    assert evidence.troubles == [Trouble(by="w", start=1.0, end=2.0)]
