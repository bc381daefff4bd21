"""Every way in which a campaign can come to a stop, and the way out that `status` names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from tests.end_to_end.support.bench import Bench

_SMTP, _REWARDS = "CLAIMCAST_SMTP__", "CLAIMCAST_REWARDS__"
WRONG = "not the right one"
_NO_MAIL = dict.fromkeys(
    (f"{_SMTP}{name}" for name in ("HOST", "PORT", "SECURITY", "SENDER", "CONNECTIONS")), ""
)


def _nothing(bench: Bench, campaign: str) -> None:
    """Leave everything as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """
    One cause: faults and settings that make it, what mends it, and how the command begins.

    `kept` is how many people keep links of an order that is then ended, None if none is. With
    `doubted` the cause counts after ten minutes only.
    """

    name: str
    code: str
    command: str
    faults: Mapping[str, object] = field(default_factory=dict)
    mail_faults: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    mended: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[Bench, str], None] = _nothing
    mend: Callable[[Bench, str], None] = _nothing
    people: int = 20
    kept: int | None = None
    doubted: bool = False
    channel: str = "email"
    uncertain: str = "resend"

    def __str__(self) -> str:
        return self.name


def _held(code: str, *, name: str = "", command: str = "retry", **how: object) -> Way:
    words = {"retry": "retry {id} --held", "reorder": "reorder {id} BATCH --yes"}
    return Way(name=name or code, code=code, command=words.get(command, command), **how)  # type: ignore[arg-type]


def _blocked(code: str, **how: object) -> Way:
    return Way(name=code, code=code, command="resume {id}", **how)  # type: ignore[arg-type]


def _ordered_elsewhere(quantity: int) -> Callable[[Bench, str], None]:
    return lambda bench, campaign: bench.order_elsewhere(campaign, quantity)


def _drain(bench: Bench, _: str) -> None:
    bench.world.fund("-" + bench.world.account()["funds"])


def _fund(bench: Bench, _: str) -> None:
    bench.world.fund("100000")


def _complete(bench: Bench, campaign: str) -> None:
    bench.complete_orders(campaign)


HELD = (
    _held("foreign_order", command="retry {id} --held --adopt", before=_ordered_elsewhere(20)),
    _held(
        "foreign_order",
        name="foreign_order_of_others",
        command="reorder",
        before=_ordered_elsewhere(3),
        kept=0,
    ),
    _held(
        "duplicate_without_id", faults={"order_504_after_commit": 1, "duplicate_without_id": True}
    ),
    _held("order_differs", faults={"order_shown_wrong": True}),
    _held("order_failed", command="reorder", faults={"order_fails": 1}, kept=0),
    _held("order_overdue", people=30, mend=_complete),
    _held("order_not_found", people=30, faults={"read_404": 1}, doubted=True, mend=_complete),
    _held("links_missing", faults={"links_hidden": True}, doubted=True),
    _held("links_short", command="reorder", faults={"short_order": 1}, doubted=True, kept=19),
    _held("links_many", command="reorder", faults={"extra_link": 1}, kept=0),
    _held("links_duplicate", command="reorder", faults={"duplicate_link": 1}, kept=0),
    _held("links_not_https", faults={"links_http": True}),
    _held("links_mixed_origins", faults={"links_elsewhere": True}),
    _held(
        "links_ambiguous",
        faults={"links_ambiguous": True},
        mended={f"{_REWARDS}LINKS_PATH": "LineItems[].Links[].Url"},
    ),
    _held("links_path_invalid", settings={f"{_REWARDS}LINKS_PATH": "LineItems[].Quantity"}),
    _held("links_seen_before", command="reorder", faults={"repeated_link": 1}, kept=0),
    _held(
        "uncertain",
        command="retry {id} --uncertain",
        mail_faults={"drop_after_store": 1},
        uncertain="hold",
    ),
)
BLOCKED = (
    _blocked("insufficient_funds", before=_drain, mend=_fund),
    _blocked("order_refused", faults={"order_400": 1}),
    _blocked("product_refused", faults={"links_withdrawn": True}),
    _blocked("credentials", faults={"token_expires_early": 1, "credentials_disabled": True}),
    _blocked("channel_not_configured", settings=_NO_MAIL),
    _blocked("smtp_no_starttls", settings={f"{_SMTP}SECURITY": "starttls"}),
    _blocked("smtp_no_auth", settings={f"{_SMTP}USERNAME": "u", f"{_SMTP}PASSWORD": WRONG}),
    _blocked("twilio_20003", settings={"CLAIMCAST_TWILIO__AUTH_TOKEN": WRONG}, channel="sms"),
)
# These need a mail server with a certificate and a login.
GUARDED = (
    _blocked("smtp_certificate", settings={"SSL_CERT_FILE": ""}),
    _blocked("smtp_535_5.7.8", settings={f"{_SMTP}PASSWORD": WRONG}),
)
READS = 8  # until the order that was short shows its last link after all
LATE = _held(
    "links_short",
    name="links_late",
    command="reorder",
    faults={"short_order": 1, "short_reads": READS},
    doubted=True,
    kept=19,
)
NOT_CAUSED = {
    "order_changed": "only a ledger that was changed by hand orders other content under one PO",
    "worker_deaths": "no provider kills workers; tests/pipeline/store/attacks/test_poison.py",
    "damaged": "only a Redis changed by hand; tests/pipeline/execution/test_unit_runner.py",
    "twilio_certificate": "the sandbox's SMS API speaks no TLS",
    "webhook_": "the sandbox has no app that takes messages; tests/channels/test_webhook.py has",
}


def sms_by_phone(bench: Bench) -> dict[str, str]:
    """Return the text of every SMS that was taken, by its number."""
    found = (
        httpx.get(f"{bench.world.addresses['control_url']}/sms", timeout=120)
        .raise_for_status()
        .json()
    )
    return {message["to"]: message["body"] for message in found}
