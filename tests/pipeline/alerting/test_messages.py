"""The notices of alerts, for programs and for people."""

import json

from pipeline.alerting.messages import Notice, campaign_notice, channel_notice
from pipeline.domain.codes import find_reason
from pipeline.store.formats.alert_records import AlertCause, AlertKind
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.rate_limiter import Breaker

SNAPSHOT = CampaignSnapshot(
    "7",
    {
        "id": "survey",
        "n": "1000",
        "p:open": "600",
        "p:reached": "400",
        "blk:o": "insufficient_funds",
        "blk:o:text": "Not enough",
        "h:order_failed": "500",
        "b:held": "500",
        "b:planned": "3",
    },
    60_000,
)
BLOCKED, HELD = (
    AlertCause("7", AlertKind.ORDERING, "insufficient_funds"),
    AlertCause("7", AlertKind.HELD, "order_failed"),
)


def a_notice(cause: AlertCause, *, over: bool = False, since_ms: int = 1000) -> Notice:
    return campaign_notice(cause, SNAPSHOT, since_ms=since_ms, now_ms=60_000, over=over)


def test_a_notice_of_a_blocked_lane_has_the_words_of_the_api_and_the_remedy() -> None:
    reason = find_reason("insufficient_funds")
    assert reason is not None
    assert json.loads(a_notice(BLOCKED).as_json()) == {
        "type": "claimcast.alert.raised",
        "timestamp": "1970-01-01T00:01:00Z",
        "data": {
            "cause": "blocked",
            "campaign": "survey",
            "state": "blocked",
            "channel": None,
            "blocked": "ordering",
            "code": "insufficient_funds",
            "meaning": reason.meaning,
            "by_itself": reason.by_itself,
            "action": reason.remedy("survey"),
            "words": "Not enough",
            "held_batches": None,
            "recipients": 1000,
            "people": {"reached": 400, "not_reached": 0, "open": 600},
            "since": "1970-01-01T00:00:01Z",
        },
    }


def test_a_notice_of_held_batches_has_their_number() -> None:
    notice = a_notice(HELD)
    assert notice.subject == "claimcast: 500 batches of survey held: order_failed"
    assert notice.document["data"]["held_batches"] == 500
    assert "claimcast retry survey --held" in notice.text


def test_a_notice_of_an_end_asks_for_nothing() -> None:
    notice = a_notice(BLOCKED, over=True)
    assert notice.document["type"] == "claimcast.alert.over"
    assert notice.document["data"]["action"] is None
    assert notice.subject == "claimcast: over in survey: insufficient_funds"
    assert notice.text.startswith("This is over: ")
    assert "What you do" not in notice.text


def test_a_repeated_notice_has_the_same_id_and_any_other_another() -> None:
    assert a_notice(BLOCKED).id == a_notice(BLOCKED).id
    others = [
        a_notice(BLOCKED, over=True),
        a_notice(BLOCKED, since_ms=2000),
        a_notice(HELD),
    ]
    assert len({a_notice(BLOCKED).id, *(notice.id for notice in others)}) == 4


def test_an_id_is_made_as_it_always_was() -> None:
    channel = AlertCause("email", AlertKind.CHANNEL, "")
    failing = channel_notice(channel, Breaker(0, "", 0), since_ms=1, now_ms=2, over=False)
    notices = [a_notice(BLOCKED), a_notice(BLOCKED, over=True), a_notice(HELD), failing]
    assert [notice.id for notice in notices] == [
        "649a47f8-f760-5e05-baad-55ff7fe692b5",
        "221f2ae1-0df5-5d41-8d93-54422aeee12d",
        "6146d14d-bc3e-5cc3-8737-7f2a5f24cd89",
        "7f4859bf-a445-561a-84cd-122f8af57eb1",
    ]


def test_a_code_that_nobody_knows_still_says_how_to_go_on() -> None:
    data = a_notice(AlertCause("7", AlertKind.SENDING, "no_such_code")).document["data"]
    assert data["meaning"] is None
    assert "`claimcast resume survey`" in data["action"]


def test_a_notice_of_a_failing_channel_names_no_campaign() -> None:
    cause = AlertCause("email", AlertKind.CHANNEL, "")
    breaker = Breaker(failures=9, reason="smtp_connect", until_ms=1)
    raised = channel_notice(cause, breaker, since_ms=1, now_ms=2, over=False)
    assert raised.subject == "claimcast: the channel email fails: smtp_connect"
    assert raised.document["data"]["channel"] == "email"
    assert "CLAIMCAST_SMTP__HOST" in raised.text
    over = channel_notice(cause, Breaker(0, "", 0), since_ms=1, now_ms=2, over=True)
    assert over.subject == "claimcast: the channel email works again"
    assert over.document["data"]["code"] is None
