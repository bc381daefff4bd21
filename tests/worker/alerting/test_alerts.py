"""Alerts as they arrive over sockets, from real states of the ledger: each once."""

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from config.settings import AlertSettings, Settings, SmtpSettings
from pipeline.alerting.messages import Notice
from pipeline.alerting.rules import Pace
from pipeline.domain.batch import Lane
from pipeline.store.fleet.alerts import AlertStore
from pipeline.store.formats.alert_records import (
    Alert,
    AlertCause,
    AlertKind,
    AlertPhase,
    AlertRecord,
    decode_alert,
    decode_record,
    encode_alert,
    encode_record,
)
from pipeline.store.scripts import Scripts, decode_hash
from sandbox.options import SandboxOptions
from sandbox.server import Sandbox, running
from tests.channels.app import SECRET, App, app, body_of, headers_of
from tests.channels.sms.servers import HANG_UP, Answer
from tests.pipeline.installation import Installation
from tests.support.prolong import prolong
from tests.support.redis import Redis
from worker.alerting import alerts
from worker.alerting.alerts import Alerts
from worker.alerting.notifiers import Notifier, open_notifiers

PACE = Pace(patience=0)
SLOW = Pace(patience=0, settle=6000, channel_patience=30_000)
"""A hundred times the usual: no stall of this machine is as long as what is looked at."""


def settings_of(receiver: App, sandbox: Sandbox | None = None) -> Settings:
    url = f"http://localhost:{receiver.port}/alerts/secret-path"
    values: dict[str, Any] = {"url": url, "secret": SECRET}
    if sandbox is None:
        return Settings(_env_file=None, alert=AlertSettings.model_validate(values))
    smtp = SmtpSettings(
        host=sandbox.smtp_host,
        port=sandbox.smtp_port,
        security="none",
        sender="Rewards <rewards@example.com>",
    )
    values["email"] = "On call <ops@example.com>"
    return Settings(_env_file=None, alert=AlertSettings.model_validate(values), smtp=smtp)


@dataclass
class Watch:
    """A ledger with a campaign, a receiver of alerts, and a worker that looks."""

    ledger: Installation
    receiver: App
    notifiers: list[Notifier]
    alerts: Alerts
    serial: str

    def another(self, pace: Pace = PACE) -> Alerts:
        return alerts_of(self.ledger.redis, self.notifiers, pace)

    async def block(self, code: str = "insufficient_funds") -> None:
        await self.ledger.campaigns.block(
            self.serial, Lane.ORDER, code, "Not enough", probe_after=60
        )

    async def unblock(self) -> None:
        await self.ledger.campaigns.unblock(self.serial, Lane.ORDER)

    async def hold(self, reason: str = "order_failed") -> int:
        claims = await self.ledger.claims(Lane.ORDER)
        for claim in claims:
            await self.ledger.batches.hold(claim, reason, missing=0, reread=0)
        return len(claims)

    async def records(self) -> dict[Alert, AlertRecord]:
        stored = decode_hash(await self.ledger.redis.hgetall("cc:alerts"))
        return {decode_alert(field): decode_record(text) for field, text in stored.items()}

    async def later(self, seconds: float) -> None:
        """Let time pass for every alert."""
        for alert, record in (await self.records()).items():
            aged = replace(record, at_ms=record.at_ms - round(seconds * 1000))
            await self.ledger.redis.hset("cc:alerts", encode_alert(alert), encode_record(aged))

    def notified(self) -> list[dict[str, Any]]:
        """Return what was posted, each signature checked."""
        return [
            Webhook(SECRET).verify(body_of(raw), dict(headers_of(raw)))
            for raw in self.receiver.raw
        ]

    def types(self) -> list[str]:
        return [document["type"].removeprefix("claimcast.alert.") for document in self.notified()]

    def ids(self) -> list[str]:
        return [headers_of(raw)["webhook-id"] for raw in self.receiver.raw]


def alerts_of(redis: Redis, notifiers: list[Notifier], pace: Pace = PACE) -> Alerts:
    return Alerts(AlertStore(redis, Scripts(redis)), notifiers, pace)


@asynccontextmanager
async def watching(redis: Redis, people: int = 5, size: int = 2) -> AsyncIterator[Watch]:
    ledger = await Installation.opened(redis)
    serial = await ledger.submitted(people, size=size)
    async with app() as receiver, open_notifiers(settings_of(receiver)) as notifiers:
        found = list(notifiers)
        yield Watch(ledger, receiver, found, alerts_of(redis, found), serial)


@pytest.fixture
async def watch(redis: Redis) -> AsyncIterator[Watch]:
    async with watching(redis) as found:
        yield found


def test_an_end_is_notified_after_a_minute_and_a_channel_after_five() -> None:
    usual = Pace()
    assert (usual.patience, usual.settle, usual.channel_patience) == (15, 60, 300)


async def test_a_blocked_campaign_is_notified_once_signed_and_once_when_it_is_over(
    watch: Watch,
) -> None:
    watch.alerts = watch.another(SLOW)
    await watch.block()
    for _ in range(3):
        await watch.alerts.notify()
    [document] = watch.notified()
    assert watch.receiver.raw[0].startswith(b"POST /alerts/secret-path HTTP/1.1\r\n")
    assert document["data"]["code"] == "insufficient_funds"
    assert document["data"]["words"] == "Not enough"
    assert document["data"]["campaign"] == "survey-2026-11"

    await watch.unblock()
    await watch.alerts.notify()
    await watch.later(5900)
    await watch.alerts.notify()
    assert watch.types() == ["raised"]
    await watch.later(100)
    for _ in range(3):
        await watch.alerts.notify()
    assert watch.types() == ["raised", "over"]
    assert len(set(watch.ids())) == 2
    assert await watch.records() == {}


async def test_five_hundred_held_batches_with_one_reason_are_one_alert(redis: Redis) -> None:
    async with watching(redis, people=500, size=1) as watch:
        assert await watch.hold() == 500
        for _ in range(2):
            await watch.alerts.notify()
        [document] = watch.notified()
        assert (document["data"]["cause"], document["data"]["held_batches"]) == ("held", 500)
        assert len(await watch.records()) == 1


async def test_two_causes_are_two_alerts(watch: Watch) -> None:
    await watch.hold()
    await watch.block("credentials")
    await watch.alerts.notify()
    codes = {document["data"]["code"] for document in watch.notified()}
    assert codes == {"order_failed", "credentials"}


async def test_any_number_of_workers_notify_once(watch: Watch) -> None:
    await watch.block()
    workers = [watch.another() for _ in range(8)]
    for _ in range(3):
        await asyncio.gather(*(each.notify() for each in workers))
    assert watch.types() == ["raised"]
    await watch.unblock()
    await asyncio.gather(*(each.notify() for each in workers))
    await watch.later(60)
    await asyncio.gather(*(each.notify() for each in workers))
    assert watch.types() == ["raised", "over"]


async def test_of_many_workers_one_looks_at_a_time(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    prolong(monkeypatch, alerts, "LOOK_SECONDS", usual=10.0)
    await watch.block()
    await watch.another().look()
    await watch.hold()
    await watch.another().look()
    assert watch.types() == ["raised"], "the second look came too soon"
    assert 0 < await watch.ledger.redis.pttl("cc:alerts:turn") <= 540_000


async def test_what_a_killed_worker_had_claimed_is_notified_by_the_next(watch: Watch) -> None:
    class Killed(Exception):  # noqa: N818 - no error: what SIGKILL does to a coroutine
        pass

    class Dying(AlertStore):
        async def put(
            self, alert: Alert, read: AlertRecord | None, becomes: AlertRecord
        ) -> AlertRecord | None:
            if becomes.phase is AlertPhase.NOTIFIED:
                raise Killed
            return await super().put(alert, read, becomes)

    await watch.block()
    redis = watch.ledger.redis
    with pytest.raises(Killed):
        await Alerts(Dying(redis, Scripts(redis)), watch.notifiers, PACE).notify()
    await watch.alerts.notify()
    assert watch.types() == ["raised"], "its claim still holds"
    await watch.later(60)
    await watch.alerts.notify()
    assert watch.types() == ["raised", "raised"]
    assert len(set(watch.ids())) == 1, "the receiver could not know the repetition"
    await watch.later(60)
    await watch.alerts.notify()
    assert len(watch.notified()) == 2


@pytest.mark.parametrize("reply", [Answer(503), Answer(302, headers={"Location": "/x"}), HANG_UP])
async def test_a_receiver_that_is_down_is_notified_later(
    watch: Watch, reply: Answer | str
) -> None:
    watch.alerts = watch.another(Pace(patience=0, first=100))
    watch.receiver.reply = reply
    await watch.block()
    await watch.alerts.notify()
    [record] = (await watch.records()).values()
    assert (record.phase, record.tries) == (AlertPhase.NOTIFY_FAILED, 1)
    await watch.alerts.notify()
    assert len(watch.receiver.heads) == 1, "it was not left alone for a while"

    await watch.later(100)
    await watch.alerts.notify()
    [record] = (await watch.records()).values()
    assert record.tries == 2
    watch.receiver.reply = Answer(204)
    watch.receiver.raw.clear()
    await watch.unblock()
    await watch.later(200)
    await watch.alerts.notify()
    assert watch.types() == ["raised"], "what came too late is sent all the same"
    await watch.alerts.notify()
    await watch.later(60)
    await watch.alerts.notify()
    assert watch.types() == ["raised", "over"]


async def test_a_cause_that_comes_and_goes_is_no_storm(watch: Watch) -> None:
    for _ in range(5):
        await watch.block()
        await watch.alerts.notify()
        await watch.later(30)
        await watch.unblock()
        await watch.alerts.notify()
        await watch.later(30)
    assert watch.types() == ["raised"]


async def test_a_paused_campaign_notifies_nobody_until_it_goes_on(watch: Watch) -> None:
    campaigns, serial = watch.ledger.campaigns, watch.serial
    await campaigns.steer(serial, "pause")
    await watch.hold()
    await watch.block()
    await watch.alerts.notify()
    await watch.later(600)
    await watch.alerts.notify()
    assert watch.notified() == []
    assert await watch.records() == {}


async def test_an_alert_of_a_campaign_that_is_paused_then_is_not_over(watch: Watch) -> None:
    await watch.block()
    await watch.alerts.notify()
    await watch.unblock()
    await watch.ledger.campaigns.steer(watch.serial, "pause")
    await watch.later(600)
    await watch.alerts.notify()
    assert watch.types() == ["raised"]
    await watch.ledger.campaigns.steer(watch.serial, "resume")
    await watch.alerts.notify()
    await watch.later(60)
    await watch.alerts.notify()
    assert watch.types() == ["raised", "over"]


async def test_a_cancelled_or_removed_campaign_leaves_nothing_behind(watch: Watch) -> None:
    await watch.block()
    await watch.alerts.notify()
    await watch.ledger.campaigns.steer(watch.serial, "cancel")
    await watch.alerts.notify()
    assert await watch.records() == {}

    await watch.ledger.redis.hset("cc:alerts", "url|999|o|credentials", "5 told 5 0")
    await watch.alerts.notify()
    assert await watch.records() == {}
    assert watch.types() == ["raised"]


async def test_a_finished_campaign_is_over_at_once(watch: Watch) -> None:
    await watch.block()
    await watch.alerts.notify()
    await watch.unblock()
    await watch.ledger.finished(watch.serial)
    await watch.alerts.notify()
    assert watch.types() == ["raised", "over"]
    assert watch.notified()[1]["data"]["state"] == "finished"
    assert await watch.records() == {}


async def test_a_worker_that_leaves_notifies_of_what_it_has_just_seen(watch: Watch) -> None:
    worker = watch.another(Pace())
    await watch.block()
    await worker.notify()
    assert watch.notified() == []
    await worker.leave()
    assert watch.types() == ["raised"]


async def test_a_worker_can_leave_while_redis_is_away(watch: Watch) -> None:
    class Away(AlertStore):
        async def put(
            self, alert: Alert, read: AlertRecord | None, becomes: AlertRecord
        ) -> AlertRecord | None:
            raise ConnectionError

    await watch.block()
    redis = watch.ledger.redis
    await Alerts(Away(redis, Scripts(redis)), watch.notifiers, PACE).leave()


async def test_a_channel_is_notified_when_it_fails_for_minutes(watch: Watch) -> None:
    redis, watch.alerts = watch.ledger.redis, watch.another(SLOW)
    await redis.hset("cc:breaker:email", mapping={"failures": 4, "reason": "smtp_dns"})
    await watch.alerts.notify()
    assert await watch.records() == {}
    await redis.hset("cc:breaker:email", mapping={"failures": 5, "until": 1})
    await watch.alerts.notify()
    await watch.later(29_900)
    await watch.alerts.notify()
    assert watch.notified() == []
    await watch.later(100)
    await watch.alerts.notify()
    [document] = watch.notified()
    assert (document["data"]["channel"], document["data"]["code"]) == ("email", "smtp_dns")

    await redis.delete("cc:breaker:email")
    await watch.alerts.notify()
    await watch.later(6000)
    await watch.alerts.notify()
    assert watch.types() == ["raised", "over"]


async def test_the_alert_of_a_target_that_is_not_set_here_is_left_to_other_workers(
    watch: Watch,
) -> None:
    field = f"email|{watch.serial}|o|insufficient_funds"
    await watch.ledger.redis.hset("cc:alerts", field, "5 told 5 0")
    await watch.alerts.notify()
    cause = AlertCause(watch.serial, AlertKind.ORDERING, "insufficient_funds")
    assert set(await watch.records()) == {Alert("email", cause)}
    await watch.ledger.finished(watch.serial)
    await watch.alerts.notify()
    assert await watch.records() == {}
    assert watch.notified() == []


async def test_without_a_notifier_there_is_nothing_to_do(redis: Redis) -> None:
    alerts = alerts_of(redis, [])
    await alerts.look()
    await alerts.leave()
    assert not await redis.exists("cc:alerts:turn")


async def test_a_notice_that_failed_by_a_defect_is_tried_again(watch: Watch) -> None:
    def broken(notice: Notice) -> Any:  # noqa: ANN401 - it never returns
        raise ZeroDivisionError

    await watch.block()
    [notifier] = watch.notifiers
    await alerts_of(watch.ledger.redis, [replace(notifier, wording=broken)]).notify()
    [record] = (await watch.records()).values()
    assert record.phase is AlertPhase.NOTIFY_FAILED


async def test_mail_goes_to_the_address_besides_the_post_each_until_it_arrives(
    redis: Redis, tmp_path: Path
) -> None:
    ledger = await Installation.opened(redis)
    serial = await ledger.submitted()
    options = SandboxOptions(directory=tmp_path)
    async with (
        running(options) as sandbox,
        app(Answer(500)) as receiver,
        open_notifiers(settings_of(receiver, sandbox)) as notifiers,
    ):
        watch = Watch(ledger, receiver, list(notifiers), alerts_of(redis, list(notifiers)), serial)
        await watch.hold()
        for _ in range(3):
            await watch.alerts.notify()
            await watch.later(1000)
        [mail] = mails(tmp_path)
        assert mail["To"] == "On call <ops@example.com>"
        assert mail["From"] == "Rewards <rewards@example.com>"
        assert mail["Subject"] == "claimcast: 3 batches of survey-2026-11 held: order_failed"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail.get_content_type() == "text/plain"
        text = mail.get_content()
        assert "claimcast retry survey-2026-11 --held" in text
        assert "p0@example.com" not in mail.as_string()
        assert len(receiver.heads) == 3
        receiver.reply = Answer(200)
        await watch.alerts.notify()
        posted = json.loads(body_of(receiver.raw[-1]))
        assert posted["data"]["held_batches"] == 3
        identity = headers_of(receiver.raw[-1])["webhook-id"]
        assert mail["Message-ID"] == f"<{identity}@example.com>"


def mails(directory: Path) -> list[EmailMessage]:
    files = sorted((directory / "Maildir").glob("*/*"))
    return [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in files
        if file.is_file()
    ]
