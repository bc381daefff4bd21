"""One run of the harness: how much is measured, where, and what came of it."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.report.figures import Results
from bench.world.installation import World, open_world
from bench.world.sinks import SinkKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured; `arq_people` are fewer as that takes long, `limited` is in seconds."""

    rounds: int = 5
    people: int = 30_000
    arq_people: int = 3_000
    rows: int = 100_000
    orders: int = 200
    requests: int = 10_000
    sms: int = 2_000
    limited: int = 10
    distant: int = 5_000
    scale: tuple[int, ...] = (1_000, 10_000, 100_000)
    fair: int = 20_000
    million: int = 1_000_000


QUICK = Sizes(
    rounds=2,
    people=2_000,
    arq_people=300,
    rows=5_000,
    orders=20,
    requests=1_000,
    sms=200,
    limited=3,
    distant=500,
    scale=(500, 1_000, 2_000),
    fair=2_000,
    million=20_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What every part is given; `say` tells a person how far it is."""

    directory: Path
    sizes: Sizes
    sink: SinkKind
    results: Results
    say: Callable[[str], None]
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @asynccontextmanager
    async def open_world(self, kind: SinkKind | None = None) -> AsyncIterator[World]:
        """Run a new world for the time of the block, with the sink that was asked for."""
        async with open_world(
            self.directory / f"world-{next(self._numbers)}", kind or self.sink
        ) as it:
            yield it
