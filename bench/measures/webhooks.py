"""How many fulfilment webhooks `serve` takes, each for another batch, and the same ones again."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from bench.measures.session import Session
from bench.world.installation import Installation, open_installation
from bench.world.processes import COMMAND, BenchProcess, until
from bench.world.sinks import free_port
from pipeline.callbacks.signed_tokens import Purpose, Target

_CONNECTIONS = 20
_BATCHES = 50
_TAKEN = b"HTTP/1.1 204 "


async def measure(session: Session) -> None:
    """Add requests per second."""
    samples: defaultdict[str, list[float]] = defaultdict(list)
    async with session.open_world() as world:
        for round_ in range(session.sizes.rounds):
            async with open_installation(world, f"webhooks-{round_}") as installation:
                serial = await installation.paused(_BATCHES * 100)
                await _serve(installation, serial, session.sizes.requests, samples)
    add, of = session.results.add, "fulfilment webhooks"
    add("Around it", "webhooks", f"{of}, {_BATCHES} batches", "requests/s", *samples["many"])
    add("Around it", "duplicates", f"{of}, all the same one", "requests/s", *samples["one"])


async def _serve(
    installation: Installation, serial: str, requests: int, samples: defaultdict[str, list[float]]
) -> None:
    port = free_port()
    command = [*COMMAND, "serve", "--port", str(port)]
    process = BenchProcess("serve", command, installation.directory, installation.environment)
    try:
        await until(lambda: _answers(port, process), "serve")
        paths = [_path(installation, serial, batch) for batch in range(1, _BATCHES + 1)]
        samples["many"].append(requests / await post(port, paths, requests))
        samples["one"].append(requests / await post(port, paths[:1], requests))
    finally:
        await asyncio.to_thread(process.stop)


def _path(installation: Installation, serial: str, batch: int) -> str:
    target = Target(serial=serial, batch=batch)
    return f"/webhooks/fulfillment/{installation.app.tokens.make(Purpose.FULFILMENT, target)}"


async def _answers(port: int, process: BenchProcess) -> bool:
    process.check()
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def post(port: int, paths: Sequence[str], requests: int) -> float:
    """Return the seconds for *requests* over connections kept open; each path in turn."""
    numbers: Iterator[int] = iter(range(requests))
    body = b'{"Event": "FulfillmentComplete"}'
    heads = [
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        for path in paths
    ]

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in numbers:
            writer.write(heads[n % len(heads)] + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(_TAKEN):
                msg = f"serve answered {answer[:40]!r}"
                raise ConnectionError(msg)
        writer.close()

    started = time.monotonic()
    await asyncio.gather(*(client() for _ in range(_CONNECTIONS)))
    return time.monotonic() - started
