"""What became of the money: the provider's account and the inboxes against claimcast's report."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain.models import ChannelName
from pipeline.store.audit_trail import AuditAction, AuditEntry, AuditTrail
from pipeline.store.scripts import Scripts
from pipeline.verification.verifier import Verifier
from pipeline.views.report import Disclosure, Report, ReportRow
from tests.end_to_end.support.lane import BATCH_SIZE, Lane, Person

InFlight = Collection[tuple[ChannelName, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """What arrived at one address."""

    links: tuple[str, ...]
    message_id: str = ""


Arrived = Mapping[tuple[ChannelName, str], Sequence[Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """
    What can be seen from outside, and what claimcast says of it.

    `orders` are the links of every order, by PO number and in the order of the account, `arrived`
    the messages by channel and address, `audited` what the audit trail holds about the campaign.
    """

    people: Sequence[Person]
    orders: Sequence[tuple[str, tuple[str, ...]]]
    arrived: Arrived
    rows: Sequence[ReportRow]
    violations: Sequence[str]
    finished: bool
    audited: Sequence[AuditEntry]

    def judge(self, in_flight: InFlight) -> None:
        """
        Check that nothing was lost or doubled; *in_flight* is what the dead process had begun.

        Only such a mail may have been sent again, once and as it was; no SMS ever is. A person who
        got nothing is listed as uncertain, by a message that was in flight.
        """
        assert not self.violations
        self._judge_orders()
        links = {each.id: self._link_of(each) for each in self.people}
        assert len(set(links.values())) == len(links), "a link given to two people"
        ordered = [link for _, found in self.orders for link in found]
        assert sorted(links.values()) == sorted(ordered), "a link lost, or never ordered"
        for person in self.people:
            self._judge_messages(person, links[person.id], in_flight)
        assert self.finished != self.uncertain

    @property
    def uncertain(self) -> bool:
        """Whether somebody is left for a person to decide about."""
        return "uncertain" in {row["status"] for row in self.rows}

    def judge_cancelled(self) -> None:
        """Check that nothing was ordered and sent, and that nothing is open."""
        assert not self.violations
        assert not self.orders
        addresses = {address for each in self.people for address in (each.email, each.phone)}
        assert not addresses & {address for _, address in self.arrived}
        assert {row["status"] for row in self.rows} == {"skipped"}
        assert self.finished

    def _judge_orders(self) -> None:
        numbers = [po for po, _ in self.orders]
        assert len(set(numbers)) == len(numbers), "an order doubled"
        assert len(numbers) == -(-len(self.people) // BATCH_SIZE), "more or fewer orders"
        trail = {(entry.action, entry.details.get("po_number")) for entry in self.audited}
        assert trail >= {(AuditAction.SUBMIT, None), *((AuditAction.ORDER, po) for po in numbers)}

    def _link_of(self, person: Person) -> str:
        """Return the one link that a person has, by every message and by the report."""
        links = {str(row["link"]) for row in self._rows_of(person) if row["link"]}
        for message in (*self._mails(person), *self._texts(person)):
            links.update(message.links)
        assert len(links) == 1, f"{person.id} has two links, or none"
        return links.pop()

    def _judge_messages(self, person: Person, link: str, in_flight: InFlight) -> None:
        mails, texts = self._mails(person), self._texts(person)
        assert len(texts) <= 1, f"an SMS to {person.id} was sent twice"
        assert len(mails) <= 1 + ((ChannelName.EMAIL, person.id) in in_flight), (
            f"a mail to {person.id} was repeated"
        )
        assert len({mail.message_id for mail in mails}) <= 1, "a repeat with a new Message-ID"
        last = self._rows_of(person)[-1]
        if mails or texts:
            assert last["status"] == "sent", f"{person.id} has a message, and is {last['status']}"
            assert all(found.links == (link,) for found in (*mails, *texts))
        else:
            assert last["status"] == "uncertain", f"{person.id} lost"
            assert last["channel"] == ChannelName.SMS, "mail is sent again by itself"
            assert (last["channel"], person.id) in in_flight

    def _rows_of(self, person: Person) -> list[ReportRow]:
        return [row for row in self.rows if row["recipient_id"] == person.id]

    def _mails(self, person: Person) -> Sequence[Message]:
        return self.arrived.get((ChannelName.EMAIL, person.email), ())

    def _texts(self, person: Person) -> Sequence[Message]:
        return self.arrived.get((ChannelName.SMS, person.phone), ())


async def aftermath(lane: Lane) -> Aftermath:
    """Collect what there is to see of a lane."""
    account, mails, texts = await lane.seen("account", "mails", "sms")
    store = await lane.opened()
    serial = await store.campaigns.find(lane.campaign)
    assert serial is not None, "the campaign was lost"
    snapshot = await store.snapshot(serial)
    findings = await Verifier(store.pages, store.campaigns, store.lookups, store.vault).run(serial)
    audit = AuditTrail(lane.redis, Scripts(lane.redis), store.vault)
    report = Report(store.pages, store.vault, Disclosure(links=True))
    return Aftermath(
        people=lane.people(),
        orders=_ordered(lane.campaign, account),
        arrived=_arrived(mails, texts),
        rows=[row async for row in report.rows(serial, snapshot.batch_count)],
        violations=[
            *map(str, findings.violations),
            *await audit.violations(),
            *await _strays(lane, serial),
        ],
        finished=snapshot.ended,
        audited=[entry async for entry in audit.entries(lane.campaign)],
    )


def _ordered(campaign: str, account: Mapping[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    orders, ours = account["orders"], f"CC-{campaign}-"
    return [(each["po"], tuple(each["links"])) for each in orders if each["po"].startswith(ours)]


def _arrived(mails: Sequence[Any], texts: Sequence[Any]) -> Arrived:
    arrived: defaultdict[tuple[ChannelName, str], list[Message]] = defaultdict(list)
    for mail in mails:
        message = Message(tuple(mail["links"]), mail["message_id"])
        arrived[ChannelName.EMAIL, mail["to"]].append(message)
    for text in texts:
        arrived[ChannelName.SMS, text["to"]].append(Message(tuple(text["links"])))
    return arrived


async def _strays(lane: Lane, serial: str) -> list[str]:
    """Return the keys of campaigns that were never committed: what was staged and given up."""
    keys = [key.decode() async for key in lane.redis.scan_iter(match="cc:[0-9]*")]
    return [f"{key} was left behind" for key in keys if key.split(":")[1] != serial]
