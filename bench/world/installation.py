"""What claimcast is measured in: a sandbox, a mail sink, and installations of its own."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.world.people import Files, write_files
from bench.world.processes import COMMAND, PYTHON, BenchError, BenchProcess, Ended, run, until
from bench.world.sinks import Sink, SinkKind, sink
from config.settings import Settings
from pipeline.domain.models import CampaignState
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import campaign_state, ended
from worker.cli.commands.operate.sandbox import sandbox_environment
from worker.wiring.engine import open_app
from worker.wiring.ledger import App

CONNECTIONS = 20
_WATCH_SECONDS = 0.05

Watcher = Callable[[CampaignSnapshot], None]


@dataclass(frozen=True, slots=True)
class World:
    """A sandbox that completes every order at once, and a sink; `environment` leads to both."""

    directory: Path
    sink: Sink
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Drained:
    """A campaign that was worked: `progress` is (seconds, sent so far), by the server's clock."""

    seconds: float
    progress: Sequence[tuple[float, int]]


@dataclass(frozen=True, slots=True)
class Installation:
    """A state directory with a Valkey of its own, append-only and synced always."""

    directory: Path
    environment: Mapping[str, str]
    app: App

    async def command(self, *words: str) -> Ended:
        """Run `claimcast` with *words*; raises BenchError if it fails."""
        return await run(words[0], [*COMMAND, *words], self.directory, self.environment)

    async def submit(self, files: Files) -> tuple[str, Ended]:
        """Submit a campaign; return its serial and what the command cost."""
        spent = await self.command("submit", str(files.campaign), str(files.recipients), "--yes")
        serial = await self.app.campaigns.find(files.campaign_id)
        if serial is None:
            msg = f"{files.campaign_id} was not taken in"
            raise BenchError(msg)
        return serial, spent

    def name(self, label: str) -> str:
        """Return a campaign id; all installations of a world share one account and its POs."""
        return f"{self.directory.name}-{label}"

    async def paused(self, people: int, label: str = "all", limit: str | None = None) -> str:
        """Submit a campaign that `drain` will start; return its serial. No worker may run yet."""
        files = await asyncio.to_thread(
            write_files, self.directory, self.name(label), people, email_limit=limit
        )
        serial, _ = await self.submit(files)
        await self.pause(serial)
        return serial

    async def pause(self, serial: str) -> None:
        await self.app.campaigns.steer(serial, "pause")

    async def resume(self, serial: str) -> None:
        await self.app.campaigns.steer(serial, "resume")

    @contextlib.asynccontextmanager
    async def workers(self, number: int) -> AsyncIterator[list[BenchProcess]]:
        """Run workers for the time of the block, which begins when all have signed on."""
        found = [
            BenchProcess(f"worker-{n}", [PYTHON, "-m", "worker"], self.directory, self.environment)
            for n in range(number)
        ]

        async def signed_on() -> bool:
            for process in found:
                process.check()
            return bool(await self.app.redis.zcard("cc:workers") == number)

        try:
            await until(signed_on, "workers that sign on", seconds=60)
            yield found
        finally:
            await asyncio.gather(*(asyncio.to_thread(process.stop) for process in found))

    async def drain(self, serial: str) -> Drained:
        """Let a paused campaign go on, and wait until it is finished."""
        started = (await self.app.campaigns.snapshot(serial)).now_ms
        await self.resume(serial)
        progress: list[tuple[float, int]] = []

        def note(snapshot: CampaignSnapshot) -> None:
            seconds = (snapshot.now_ms - started) / 1000
            progress.append((seconds, snapshot.deliveries()["sent"]))

        last = await self.finished(serial, note)
        return Drained((last.finished_ms - started) / 1000, progress)

    async def finished(self, serial: str, watch: Watcher = lambda _: None) -> CampaignSnapshot:
        """Wait until a campaign has reached everybody; raises BenchError if it can't."""

        def observed(found: CampaignSnapshot) -> bool:
            watch(found)
            return ended(found)

        snapshot = await self._wait_until(serial, observed)
        if snapshot.people()["reached"] != snapshot.recipients:
            msg = f"not everybody was reached: {snapshot.people()}"
            raise BenchError(msg)
        return snapshot

    async def sent(self, serial: str, number: int) -> None:
        """Wait until so many people were sent to; raises BenchError if they can't be."""
        await self._wait_until(serial, lambda found: found.deliveries()["sent"] >= number)

    async def _wait_until(
        self, serial: str, condition: Callable[[CampaignSnapshot], bool]
    ) -> CampaignSnapshot:
        while not condition(snapshot := await self.app.campaigns.snapshot(serial)):
            state, reason = campaign_state(snapshot)
            if state not in {CampaignState.RUNNING, CampaignState.FINISHED}:
                msg = f"the campaign is {state}: {reason}"
                raise BenchError(msg)
            await asyncio.sleep(_WATCH_SECONDS)
        return snapshot

    async def valkey_cpu(self) -> float:
        """CPU seconds that the server has used so far."""
        found = await self.app.redis.info("cpu")
        return float(found["used_cpu_sys"]) + float(found["used_cpu_user"])

    async def memory(self, what: str = "used_memory") -> int:
        """Bytes of the server; `used_memory_peak` is the most there ever were."""
        return int((await self.app.redis.info("memory"))[what])


@contextlib.asynccontextmanager
async def open_world(directory: Path, kind: SinkKind) -> AsyncIterator[World]:
    """Run a sandbox and a sink in *directory* for the time of the block."""
    await asyncio.to_thread(directory.mkdir)
    ready = directory / "ready.json"
    command = [PYTHON, "-m", "sandbox", "--dir", str(directory / "sandbox"), "--keep", "index"]
    command += ["--ready-file", str(ready), "--async-above", "1000"]
    sandbox = BenchProcess("sandbox", command, directory, {})

    async def is_ready() -> bool:
        sandbox.check()
        return ready.exists()

    try:
        async with sink(directory, kind) as mail:
            await until(is_ready, "the sandbox")
            addresses = json.loads(ready.read_text("utf-8"))
            yield World(directory, mail, _environment(addresses, mail))
    finally:
        await asyncio.to_thread(sandbox.stop)


def _environment(addresses: Mapping[str, str], mail: Sink) -> dict[str, str]:
    limits = ("ORDERS", "READS", "EMAIL", "SMS")
    return {
        **sandbox_environment(addresses),
        "CLAIMCAST_SMTP__PORT": str(mail.port),
        "CLAIMCAST_SMTP__CONNECTIONS": str(CONNECTIONS),
        "CLAIMCAST_LOG_FORMAT": "json",
        **{f"CLAIMCAST_LIMITS__{name}": "unlimited" for name in limits},
    }


@contextlib.asynccontextmanager
async def open_installation(
    world: World, name: str, **settings: str
) -> AsyncIterator[Installation]:
    """Open a new installation; *settings* are variables beside the usual ones."""
    directory = world.directory / name
    directory.mkdir()
    state = directory / "state"
    environment = {**world.environment, "CLAIMCAST_STATE_DIR": str(state), **settings}
    async with open_app(Settings(_env_file=None, state_dir=state), patient=True) as app:
        yield Installation(directory, environment, app)
