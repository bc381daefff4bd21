"""Builds the notice of an alert: a JSON document, and a mail. No names, addresses or links."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from pipeline.domain.batch import Lane
from pipeline.domain.clock import iso
from pipeline.domain.codes import find_reason
from pipeline.store.formats.alert_records import Alert, AlertCause, AlertKind, encode_alert
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.rate_limiter import Breaker
from pipeline.views.campaign_status import DOING, campaign_state

_NAMESPACE = UUID("0c7d1a52-4f0e-5d0f-9a1b-6c0f4f7c2e55")
_UNKNOWN = "When it is mended, `claimcast resume {campaign}` lets it go on."
_TYPES = {False: "claimcast.alert.raised", True: "claimcast.alert.over"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert in words; a repeated notice has the same `id`."""

    id: str
    document: dict[str, Any]
    subject: str
    text: str

    def as_json(self) -> bytes:
        """Return the body of a POST, in UTF-8."""
        return json.dumps(self.document, ensure_ascii=False, separators=(",", ":")).encode()


def campaign_notice(
    cause: AlertCause, snapshot: CampaignSnapshot, *, since_ms: int, now_ms: int, over: bool
) -> Notice:
    """Return the notice of a blocked lane or of held batches; the times are server time."""
    state, _ = campaign_state(snapshot)
    held = cause.kind is AlertKind.HELD
    data = {
        "cause": "held" if held else "blocked",
        "campaign": snapshot.campaign_id,
        "state": state.value,
        "channel": None,
        "blocked": None if held else DOING[Lane(cause.kind)],
        **_reason(cause.code, snapshot.campaign_id, over=over),
        "words": None if held else _words(cause, snapshot),
        "held_batches": snapshot.held_reasons().get(cause.code, 0) if held else None,
        "recipients": snapshot.recipients,
        "people": snapshot.people(),
        "since": iso(since_ms),
    }
    return _notice(cause, data, since_ms=since_ms, now_ms=now_ms, over=over)


def channel_notice(
    cause: AlertCause, breaker: Breaker, *, since_ms: int, now_ms: int, over: bool
) -> Notice:
    """Return the notice of a channel whose provider fails for every campaign."""
    data = {
        "cause": "channel",
        "campaign": None,
        "state": None,
        "channel": cause.subject,
        "blocked": None,
        **_reason(breaker.reason, "CAMPAIGN", over=over),
        "words": None,
        "held_batches": None,
        "recipients": None,
        "people": None,
        "since": iso(since_ms),
    }
    return _notice(cause, data, since_ms=since_ms, now_ms=now_ms, over=over)


def test_notice(identity: str, now_ms: int) -> Notice:
    """Return the notice that `doctor --alert` sends; *identity* is new for each."""
    document: dict[str, Any] = {
        "type": "claimcast.alert.test",
        "timestamp": iso(now_ms),
        "data": {},
    }
    text = "This is a test by `claimcast doctor`: alerts arrive here. Nothing has to be done.\n"
    return Notice(identity, document, "claimcast: alerts arrive here", text)


def _words(cause: AlertCause, snapshot: CampaignSnapshot) -> str | None:
    block = snapshot.blocked.get(Lane(cause.kind))
    return block.words or None if block else None


def _reason(code: str, campaign: str, *, over: bool) -> dict[str, str | None]:
    reason = find_reason(code)
    remedy = reason.remedy(campaign) if reason else _UNKNOWN.replace("{campaign}", campaign)
    return {
        "code": code or None,
        "meaning": reason.meaning if reason else None,
        "by_itself": reason.by_itself if reason and not over else None,
        "action": None if over else remedy,
    }


def _notice(
    cause: AlertCause, data: dict[str, Any], *, since_ms: int, now_ms: int, over: bool
) -> Notice:
    # All targets get the same id. Receivers keep it, so how it is made may not change.
    identity = uuid5(_NAMESPACE, f"{encode_alert(Alert('', cause))}|{since_ms}|{over}")
    document = {"type": _TYPES[over], "timestamp": iso(now_ms), "data": data}
    return Notice(str(identity), document, _subject(data, over=over), _text(data, over=over))


def _subject(data: dict[str, Any], *, over: bool) -> str:
    code = f": {data['code']}" if data["code"] else ""
    match data["cause"]:
        case "channel":
            what = "works again" if over else "fails"
            return f"claimcast: the channel {data['channel']} {what}{code}"
        case "held" if not over:
            number = data["held_batches"]
            batches = "1 batch" if number == 1 else f"{number:,} batches"
            return f"claimcast: {batches} of {data['campaign']} held{code}"
        case _:
            what = "over in" if over else "blocked:"
            return f"claimcast: {what} {data['campaign']}{code}"


def _text(data: dict[str, Any], *, over: bool) -> str:
    facts = {
        "campaign": data["campaign"],
        "channel": data["channel"],
        "state": data["state"],
        "concerns": data["blocked"],
        "held batches": data["held_batches"] or None,
        "code": data["code"],
        "since": data["since"],
        "people": _counts(data["people"]),
    }
    lines = [f"{name + ':':14}{value}" for name, value in facts.items() if value is not None]
    meaning = data["meaning"] or data["code"] or "the provider took no messages"
    sentences = [f"This is over: {meaning}." if over else f"{meaning[:1].upper()}{meaning[1:]}."]
    if data["words"]:
        sentences.append(f'The words of the other side: "{data["words"]}".')
    if data["by_itself"]:
        sentences.append(f"By itself: {data['by_itself']}")
    if data["action"]:
        sentences.append(f"What you do: {data['action']}")
    return "\n".join([*sentences, "", *lines, ""])


def _counts(people: dict[str, int] | None) -> str | None:
    if people is None:
        return None
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in people.items())
