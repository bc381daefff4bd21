"""What the callers know, and what they get wrong: random arguments, mostly plausible ones."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from pipeline.store import keys
from tests.pipeline.store.differential.pair import Arg, Client

CODES = ("", "smtp_550_5.1.1", "smtp_421", "gave_up", "twilio_21610", "odd;code", "retry")
_RECORD = re.compile(r"\w(\w)(\d+)\.(\d+)\.")
NONCES = ("n1", "n2", "n3", "n4")


@dataclass(frozen=True, slots=True)
class Place:
    """A batch, by the arguments that name it."""

    serial: str
    number: int

    @property
    def args(self) -> tuple[str, int]:
        return self.serial, self.number


@dataclass(slots=True)
class World:
    """*redis* is read only; what is chosen follows from *random* and from what stands there."""

    random: Random
    redis: Client
    tokens: list[str] = field(default_factory=lambda: ["", "1:gone"])
    units: list[tuple[str, int, str, str]] = field(default_factory=list)
    now_us: int = 1_700_000_000_000_000

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def nonce(self) -> str:
        return self.random.choice(NONCES)

    def serial(self) -> str:
        """Return the serial of some campaign, hardly ever of one that is not there."""
        known: list[str] = [serial.decode() for serial in self.redis.hvals(keys.IDS)]
        if not known or self.chance(0.03):
            return self.random.choice(["1", "2", "99"])
        return self.random.choice(known)

    def place(self, state: str = "") -> Place:
        """Return some batch; if *state* is given one that is in it, as far as there is one."""
        serial = self.serial()
        batches = self.number(self.campaign(serial), "nb")
        places = [Place(serial, number) for number in range(1, batches + 1)]
        fitting = [place for place in places if self.batch(place).get("st") == state]
        return self.random.choice(fitting or places)

    def number(self, fields: Mapping[str, str], name: str) -> int:
        """Return a small number that is stored; 1 if it is not there, or spoilt."""
        text = fields.get(name, "")
        return int(text) if re.fullmatch("[1-9]", text) else 1

    def campaign(self, serial: str) -> Mapping[str, str]:
        return _decoded(self.redis.hgetall(keys.campaign_key(serial)))

    def batch(self, place: Place) -> Mapping[str, str]:
        return _decoded(self.redis.hgetall(keys.batch_key(*place.args)))

    def token(self, place: Place) -> str:
        """Return the token of the live lease, at times one that is over."""
        live = self.batch(place).get("tok")
        if live is None or self.chance(0.04):
            return self.random.choice(self.tokens)
        return live

    def index(self, place: Place) -> int:
        size = len(self.batch(place).get("plan", "0"))
        return self.random.randrange(size + (1 if self.chance(0.05) else 0) or 1)

    def field(self, place: Place, index: int) -> str:
        text: bytes = self.redis.hget(keys.ledger_key(*place.args), str(index)) or b""
        return text.decode()

    def deliveries(self, place: Place, index: int) -> Sequence[tuple[str, int, int]]:
        """Return channel letter, resend number and attempt of a person's deliveries."""
        found = _RECORD.findall(self.field(place, index))  # not parsed: it may be spoilt
        if found:
            return [(letter, int(number), int(attempt)) for letter, number, attempt in found]
        return [(letter, 1, 0) for letter in self.campaign(place.serial).get("channels") or "e"]

    def blob(self, key: str) -> bytes:
        """Return what is stored, at times something else."""
        stored: bytes = self.redis.get(key) or b""
        return b"other" if self.chance(0.05) else stored

    def sealed(self) -> bytes:
        return self.random.randbytes(40)

    def ms(self, *choices: int) -> int:
        return self.random.choice(choices)

    def suppressed(self) -> tuple[str, bytes]:
        """Return where one of few addresses would stand in the suppression list."""
        address = self.random.randrange(6)
        return keys.suppressed_key(address % 3), digest(f"address {address}", 10)

    def link_digests(self, place: Place, number: int) -> bytes:
        """Return digests of links of the batch's own, at times one that another has, too."""
        own = [digest(f"{place} {k}", 12) for k in range(number)]
        if own and self.chance(0.25):
            own[-1] = digest(f"{Place(place.serial, self.random.randint(1, 4))} 0", 12)
        return b"".join(own)

    def spoilt(self, args: tuple[Arg, ...]) -> tuple[Arg, ...]:
        """Return *args* with one of them wrong."""
        if not args:
            return args
        which = self.random.randrange(len(args))
        wrong = self.random.choice(["", "0", "1", "2", "-1", "x", "h", "99", *map(str, args[:4])])
        return (*args[:which], wrong, *args[which + 1 :])


def digest(text: str, size: int) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:size]


def _decoded(reply: object) -> Mapping[str, str]:
    assert isinstance(reply, dict)
    return {name.decode(): value.decode("latin-1") for name, value in reply.items()}
