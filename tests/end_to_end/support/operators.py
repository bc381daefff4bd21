"""What an operator does to a campaign, each with the state it needs and the state it leaves."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet

from pipeline.domain.models import FactKind
from pipeline.store.audit_trail import AuditTrail
from pipeline.store.fleet.keyring import Keyring
from pipeline.store.scripts import Scripts
from pipeline.verification.verifier import Verifier
from pipeline.views.report import Disclosure, Report
from tests.end_to_end.support.lane import Lane
from tests.pipeline.installation import PEOPLE, Installation
from tests.pipeline.intake.builders import a_campaign

_OTHER_TEXT = "Here is your reward: {{ link }}"
_VARYING = {"id", "sub", "t0", "fin", "can", "purging", "purged", "last", "ver:2", "ver:nonce"}
_SHOWN = ("recipient_id", "channel", "status", "code", "attempts", "address")

State = dict[str, Any]
Preparation = Callable[[Lane, Installation], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Command:
    """
    A command and what comes before it: `prepare` returns the words that are typed.

    `codes` are the exit codes with which it may be run again: some say that it was done before.
    """

    name: str
    prepare: Preparation
    codes: frozenset[int] = frozenset({0})

    def __str__(self) -> str:
        return self.name


async def _submit(lane: Lane, _: Installation) -> Sequence[str]:
    rows = [f"r{n},p{n}@example.com" for n in range(PEOPLE)]
    people = _file(lane, "csv", "\n".join(["id,email", *rows]) + "\n")
    return ["submit", _file(lane, "toml", _toml(lane, "{{ link }}")), people]


async def _retry(lane: Lane, store: Installation) -> Sequence[str]:
    serial = await _submitted(lane, store)
    await store.fulfilled(serial)
    await store.settled(serial, FactKind.FAILED, "smtp_550_5.1.1")
    return ["retry", lane.campaign, "--failed"]


async def _resend(lane: Lane, store: Installation) -> Sequence[str]:
    await store.fulfilled(await _submitted(lane, store))
    return ["resend", lane.campaign, "r0", "--email", "elsewhere@example.com"]


async def _reorder(lane: Lane, store: Installation) -> Sequence[str]:
    first, *_ = await store.ordered(await _submitted(lane, store))
    await store.batches.hold(first, "order_failed", missing=first.batch.size, reread=0)
    return ["reorder", lane.campaign, str(first.unit.batch), "--yes"]


async def _forget(lane: Lane, store: Installation) -> Sequence[str]:
    await store.fulfilled(await _submitted(lane, store))
    return ["forget", lane.campaign, "r1", "--yes"]


async def _purge(lane: Lane, store: Installation) -> Sequence[str]:
    await store.finished(await _submitted(lane, store))
    return ["purge", lane.campaign, "--yes"]


async def _edit(lane: Lane, store: Installation) -> Sequence[str]:
    await store.campaigns.steer(await _submitted(lane, store), "pause")
    return ["edit", lane.campaign, _file(lane, "toml", _toml(lane, _OTHER_TEXT)), "--yes"]


async def _cancel(lane: Lane, store: Installation) -> Sequence[str]:
    await store.ordered(await _submitted(lane, store))
    return ["cancel", lane.campaign, "--yes"]


async def _rekey(lane: Lane, store: Installation) -> Sequence[str]:
    await store.fulfilled(await _submitted(lane, store))
    lane.keys.insert(0, Fernet.generate_key().decode())
    return ["rekey"]


COMMANDS = (
    Command("submit", _submit),
    Command("retry", _retry),
    Command("resend", _resend, frozenset({0, 2})),
    Command("reorder", _reorder),
    Command("forget", _forget),
    Command("purge", _purge),
    Command("edit", _edit),
    Command("cancel", _cancel),
    Command("rekey", _rekey),
)


async def _submitted(lane: Lane, store: Installation) -> str:
    return await store.submitted(campaign=a_campaign(id=lane.campaign))


def _toml(lane: Lane, text: str) -> str:
    return (
        f'id = "{lane.campaign}"\nname = "November survey"\n'
        '[reward]\nproduct_id = "CVS"\nvalue = "10.00"\n'
        '[delivery]\nchannels = ["email"]\n'
        f'[email]\nsubject = "Your reward"\ntext = "{text}"\n'
    )


def _file(lane: Lane, kind: str, content: str) -> str:
    path = lane.servers.directory / f"{lane.campaign}.{kind}"
    path.write_text(content, "utf-8")
    return str(path)


async def state_of(lane: Lane) -> State:
    """
    Return what there is in a lane, without moments and names that differ from lane to lane.

    Everything of it can be compared: two lanes with the same state go on in the same way.
    """
    store = await lane.opened()
    audit = AuditTrail(lane.redis, Scripts(lane.redis), store.vault)
    assert await audit.violations() == []
    serials = list((await store.campaigns.ids()).values())
    names = {key.decode() async for key in lane.redis.scan_iter(match="cc:[0-9]*")}
    for place, serial in enumerate(serials):
        names = {name.replace(f"cc:{serial}", f"cc:#{place}") for name in names}
    return {
        "names": sorted(names),
        "campaigns": [await _campaign(lane, store, serial) for serial in serials],
        "audited": sorted({entry.action async for entry in audit.entries()}),
        "keys_needed": len(await Keyring(lane.redis, store.vault).sealed_with()),
    }


async def _campaign(lane: Lane, store: Installation, serial: str) -> State:
    snapshot = await store.snapshot(serial)
    findings = await Verifier(store.pages, store.campaigns, store.lookups, store.vault).run(serial)
    report = Report(store.pages, store.vault, Disclosure(addresses=True))
    rows = [row async for row in report.rows(serial, snapshot.batch_count)]
    definition = await store.campaigns.definition(serial)
    fields = {name: value for name, value in snapshot.fields.items() if value != "0"}
    return {
        "violations": list(map(str, findings.violations)),
        "fields": {name: fields[name] for name in fields.keys() - _VARYING},
        "varying": sorted(fields.keys() & _VARYING),
        "rows": [[row[name] for name in _SHOWN] + [bool(row["link_ref"])] for row in rows],
        "definition": definition.model_copy(update={"id": ""}).model_dump_json(),
    }
