"""What goes wrong, and when: a pure function of the seed."""

import random
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

WORKERS = 4
SERVICES = ("smtp", "sms", "rewards", "redis")
_NOMINAL = 150.0
"""Seconds of a run that the numbers below are meant for; a shorter or longer one has as many per
second."""

_ORDERING = 0.7
"""The share of a run in which there are surely orders to be placed."""

_HOW_OFTEN = {
    "kill_worker": 24,
    "freeze_worker": 9,
    "skew_worker": 4,
    "kill_valkey": 5,
    "freeze_valkey": 1,
    "kill_fleet": 1,
    "restart_serve": 3,
    "cut": 12,
    "cut_inside": 12,
    "swallow": 18,
    "delay": 6,
    "refuse": 4,
    "faults": 14,
    "poison_unit": 3,
    "poison_submit": 2,
}
_AT_LEAST_ONCE = ("kill_worker", "freeze_worker", "kill_valkey", "kill_fleet", "swallow", "cut")
_FAULTS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("faults", {"order_504_after_commit": 0.5}),
    ("faults", {"order_reset_after_commit": 0.5}),
    ("faults", {"order_429": 0.5, "read_429": 0.3}),
    ("faults", {"order_500": 0.5, "read_500": 0.3}),
    ("faults", {"token_expires_early": 0.1}),
    ("faults", {"slow": 0.3, "slow_seconds": 4.0}),
    ("faults", {"burst_500": 0.1}),
    ("faults", {"webhook_never": 0.5, "webhook_twice": 0.3}),
    ("smtp-faults", {"drop_after_store": 0.05, "drop_before_store": 0.05}),
    ("smtp-faults", {"rcpt_450": 0.1, "rcpt_421": 0.02, "data_451": 0.05}),
    ("smtp-faults", {"refuse": 0.3, "slow": 0.05}),
    ("sms-faults", {"sms_reset_after": 0.1, "sms_500_after": 0.1, "sms_429": 0.1}),
    ("sms-faults", {"sms_500_before": 0.2, "callback_twice": 0.3, "callback_reordered": 0.3}),
    ("sms-faults", {"undelivered_30003": 0.1, "callback_never": 0.1}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    One thing that goes wrong, `at` seconds after the start.

    `worker` is the index of a worker in the fleet, `service` what a proxy stands before (or the
    switches of the sandbox), `lane` the work that a kill should hit: orders (o) or sending (s).
    `number` is the octets until a cut, the answers to swallow, the ms of a delay, or the seconds
    that a clock is wrong.
    """

    at: float
    kind: str
    worker: int = 0
    service: str = ""
    lane: str = ""
    seconds: float = 0.0
    number: int = 0
    faults: Mapping[str, object] = field(default_factory=dict)


def plan(seed: int, *, seconds: float, lease: float) -> tuple[Event, ...]:
    """Return everything that happens within *seconds*, in order: the same for the same seed."""
    dice = random.Random(f"chaos:{seed}:{seconds}:{lease}")  # noqa: S311 - repeatable on purpose
    events = [
        _event(kind, dice, seconds, lease)
        for kind, usual in _HOW_OFTEN.items()
        for _ in range(_times(kind, usual * seconds / _NOMINAL, dice))
    ]
    for kinds in ({"kill_worker", "skew_worker"}, {"freeze_worker"}):
        _aim(events, kinds, _ORDERING * seconds)
    return tuple(sorted(events, key=lambda event: event.at))


def _aim(events: list[Event], kinds: AbstractSet[str], until: float) -> None:
    """Let half of these meet ordering, evenly over the time that has any, and the rest sending."""
    fatal = sorted((event.at, index) for index, event in enumerate(events) if event.kind in kinds)
    early = sum(at < until for at, _ in fatal)
    orders = min(early, (len(fatal) + 1) // 2)
    for n, (_, index) in enumerate(fatal):
        ordering = n < early and (n + 1) * orders // early > n * orders // early
        events[index] = replace(events[index], lane="o" if ordering else "s")


def _times(kind: str, expected: float, dice: random.Random) -> int:
    """Round *expected* up or down by chance, so that short runs have rare things sometimes."""
    times = int(expected) + (dice.random() < expected % 1)
    return max(times, int(kind in _AT_LEAST_ONCE))


def _event(kind: str, dice: random.Random, seconds: float, lease: float) -> Event:
    at = round(dice.uniform(0.02, 0.98) * seconds, 3)
    worker, service = dice.randrange(WORKERS), dice.choice(SERVICES)
    match kind:
        case "freeze_worker":
            lasts = lease * dice.uniform(1.3, 2.5)
            return Event(at=at, kind=kind, worker=worker, seconds=round(lasts, 3))
        case "skew_worker":
            hours = dice.choice((-26, -1, 1, 30))
            return Event(at=at, kind=kind, worker=worker, number=hours * 3600)
        case "freeze_valkey":
            return Event(at=at, kind=kind, seconds=min(10.0, seconds / 6))
        case "kill_valkey" | "kill_fleet" | "restart_serve":
            return Event(at=at, kind=kind, seconds=round(dice.uniform(0.1, 2.0), 3))
        case "cut" | "cut_inside":
            octets = dice.randrange(1, 6000)
            return Event(at=at, kind=kind, worker=worker, service=service, number=octets)
        case "swallow":
            service = dice.choice(("smtp", "smtp", "sms", "rewards"))
            number = dice.randrange(1, 6)
            return Event(at=at, kind=kind, worker=worker, service=service, number=number)
        case "delay" | "refuse":
            lasts = round(dice.uniform(0.5, 4.0), 3)
            ms = dice.randrange(5, 300)
            return Event(
                at=at, kind=kind, worker=worker, service=service, seconds=lasts, number=ms
            )
        case "faults":
            switches, faults = dice.choice(_FAULTS)
            return Event(at=at, kind=kind, service=switches, seconds=5.0, faults=faults)
        case _:
            return Event(at=at, kind=kind, worker=worker)
