"""One run: campaigns, the monkey, the wait until all is over, the evidence, the judge."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.chaos import campaigns
from tests.chaos.campaigns import Campaign, Recipe
from tests.chaos.fault_injector import Account, FaultInjector
from tests.chaos.fleet import CONNECTIONS, LEASE, Fleet
from tests.chaos.judgement import evidence_files
from tests.chaos.judgement.bound import MARGIN
from tests.chaos.judgement.judge import Finding, Violation, judge
from tests.chaos.lag import measured_lag
from tests.chaos.monkey import plan
from tests.chaos.proxying.dialogues import Attempt
from tests.chaos.report import Outcome

_POLL = 2.0  # each look is a process
_MOVING = ("planned", "ordered", "fulfilled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    How long, how many, and where; times are in seconds.

    `settle` bounds the wait after the last fault. With *hasty* it ends as soon as all that is left
    to do is to ask about uncertain messages, which takes two minutes. For *stall* seconds the
    machine itself may stand still: leases outlast that, and a message may take longer until it is
    recorded by what the machine did stand still, up to that.
    """

    seed: int
    people: int
    seconds: float
    directory: Path
    settle: float = 240.0
    hasty: bool = False
    stall: int = 0
    recipes: Sequence[Recipe] = campaigns.RECIPES
    say: Callable[[str], None] = print


async def run(settings: Settings) -> Outcome:
    """Run it all; what is left in the directory is what the judge saw."""
    begun = time.monotonic()
    work = campaigns.write(settings.directory, settings.people, settings.recipes)
    rates, lease = _rates(work, settings.seconds), LEASE + settings.stall
    async with (
        Fleet(settings.directory, settings.seed, rates, lease) as fleet,
        measured_lag() as lag,
    ):
        settings.say(f"submitting {settings.people} people in {len(work)} campaigns")
        submits = (_checked(fleet, "submit", str(each.toml), str(each.csv)) for each in work)
        await asyncio.gather(*submits)
        fleet.start_workers()
        injector = FaultInjector(fleet)
        watch = asyncio.create_task(injector.watch_processes())
        try:
            settings.say(f"the monkey is loose for {settings.seconds:.0f} seconds")
            await injector.run(plan(settings.seed, seconds=settings.seconds, lease=lease))
            await injector.calm()
            settings.say("all faults are off; waiting for the rest")
            calm = time.monotonic()
            stuck = await _settled(fleet, settings)
            settled = time.monotonic() - calm
            await injector.watched()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        settings.say("collecting the evidence")
        unclean = await _collect(fleet, injector.account, work)
    settings.say("judging")
    margin = MARGIN + min(lag.worst, settings.stall)
    return _outcome(settings, fleet, injector.account, [*stuck], unclean, margin, settled, begun)


def _rates(work: Sequence[Campaign], seconds: float) -> dict[str, str]:
    """Spread the work over the time that the monkey is loose, so that what it hits is at work."""
    batches = sum(-(-campaign.people // 100) for campaign in work)
    mails, texts = sum(each.mails for each in work), sum(each.texts for each in work)
    return {
        "orders": f"{max(10, round(batches / (0.8 * seconds) * 60))}/m",
        "reads": "unlimited",
        "email": f"{max(5, round(mails / (0.8 * seconds)))}/s",
        "sms": f"{max(5, round(texts / (0.6 * seconds)))}/s",
    }


async def _checked(fleet: Fleet, *words: str) -> str:
    code, output = await fleet.command(*words)
    if code:
        log = (fleet.directory / "commands.log").read_text("utf-8")
        msg = f"claimcast {words[0]} exited with {code}: {log[-2000:]}"
        raise RuntimeError(msg)
    return output


async def _settled(fleet: Fleet, settings: Settings) -> list[str]:
    """Wait until nothing moves by itself any more; return what still does at the end."""
    until = time.monotonic() + settings.settle
    while True:
        document = json.loads(await _checked(fleet, "status", "--json"))
        moving = [each for each in document["campaigns"] if _moves(each, hasty=settings.hasty)]
        if not moving:
            return []
        if time.monotonic() > until:
            return [f"not settled: {json.dumps(each)}" for each in moving]
        await asyncio.sleep(_POLL)


def _moves(status: dict[str, Any], *, hasty: bool) -> bool:
    batches, deliveries = status["batches"], status["deliveries"]
    if status["state"] == "finished" or not any(batches[name] for name in _MOVING):
        return False
    under_way = batches["planned"] + batches["ordered"] + deliveries["pending"]
    return bool(under_way + deliveries["sending"]) or not hasty


async def _collect(fleet: Fleet, account: Account, work: Sequence[Campaign]) -> list[str]:
    """Write down what the outside has and what claimcast says; return what `verify` faults."""
    folder = fleet.directory
    said = await asyncio.gather(*(_report(fleet, campaign.recipe.id) for campaign in work))
    for what in ("account", "sms"):
        _write(folder / f"{what}.json", await fleet.account(what))
    _write(folder / "attempts.json", [_start(each) for each in fleet.attempts])
    _write(folder / "events.json", account.as_json())
    return [each for each in said if each]


async def _report(fleet: Fleet, name: str) -> str:
    """Have a campaign's report written; return what `verify` says if it finds fault with it."""
    target = str(fleet.directory / f"{name}.report.csv")
    reveal = ("--with-links", "--with-addresses", "--yes")
    await _checked(fleet, "report", name, *reveal, "--output", target)
    code, output = await fleet.command("verify", name)
    return f"{name}: {output.strip()}" if code else ""


def _start(attempt: Attempt) -> dict[str, Any]:
    found = asdict(attempt)
    found["at"] = found.pop("began")
    return found


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1), "utf-8")


def _outcome(
    settings: Settings,
    fleet: Fleet,
    account: Account,
    complaints: list[str],
    unclean: Iterable[str],
    margin: float,
    settled: float,
    begun: float,
) -> Outcome:
    seen = evidence_files.read(settings.directory)
    verdict = judge(seen, connections=CONNECTIONS, margin=margin)
    faults = [Finding(Violation.NOT_CLEAN, each) for each in unclean]
    complaints += account.exits
    complaints += [f"never taken over: {each}" for each in account.never_taken_over]
    clock = fleet.clock_library
    return Outcome(
        seed=settings.seed,
        people=settings.people,
        seconds=round(time.monotonic() - begun, 1),
        verdict=replace(verdict, findings=[*verdict.findings, *faults]),
        done=account.done,
        hits=account.hits,
        lost_answers=sum(not attempt.forwarded for attempt in fleet.attempts),
        recovery=_recovery(account, fleet.attempts),
        clock="libfaketime" if clock else "time.time() only: there is no libfaketime",
        settled=settled,
        complaints=complaints,
    )


def _recovery(account: Account, attempts: Iterable[Attempt]) -> dict[str, list[float]]:
    """Group the recovery times by what died; with Redis away meanwhile they are apart."""
    groups: dict[str, list[float]] = {}
    outages = [each for each in account.troubles if not each["by"]]
    for what, died, seconds in account.recovery:
        outage = any(each["start"] < died + seconds and died < each["end"] for each in outages)
        group = "any, with Redis away meanwhile" if outage else f"{what} killed"
        groups.setdefault(group, []).append(seconds)
    groups["Valkey back, to the first message"] = _first_after(account.valkey_back, attempts)
    return groups


def _first_after(moments: Iterable[float], attempts: Iterable[Attempt]) -> list[float]:
    """Return the seconds from each moment to the first message or order after it."""
    times = sorted(attempt.began for attempt in attempts)
    found = (next((at - moment for at in times if at >= moment), None) for moment in moments)
    return [seconds for seconds in found if seconds is not None]
