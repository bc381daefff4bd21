"""A headless Chromium of our own, driven over the Chrome DevTools Protocol."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.real.parts import CHROMIUM, PATIENCE, running

Event = dict[str, Any]

# What could reach out by itself is off, and as root its sandbox cannot run.
_SWITCHES = """
--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync
--remote-debugging-port=0
"""


class Page:
    """One tab; `complaints` are what its console, its policies and its scripts complained of."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Event]] = {}
        self._loaded = asyncio.Event()
        self.complaints: list[Event] = []

    async def listen(self) -> None:
        """Take in what the browser says, until the line is closed."""
        async for message in self._line:
            said: Event = json.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Page.loadEventFired":
                self._loaded.set()
            elif said["method"] in _COMPLAINTS:
                self.complaints.append(said)

    async def tell(self, method: str, **parameters: object) -> Event:
        """Give a command and return what comes of it."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._line.send_json({"id": number, "method": method, "params": parameters})
        said = await asyncio.wait_for(answer, PATIENCE)
        assert "error" not in said, said
        result: Event = said["result"]
        return result

    async def open(self, url: str) -> None:
        """Go to an address and wait until the page is loaded."""
        self._loaded.clear()
        await self.tell("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE)

    async def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - JSON
        found = await self.tell("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def press(self, selector: str) -> None:
        """Press the mouse on the middle of an element, and wait for the page that follows."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y, width, height = await self.evaluate(
            f"(({{x, y, width, height}}) => [x, y, width, height])({box})"
        )
        self._loaded.clear()
        where = {"x": x + width / 2, "y": y + height / 2, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            await self.tell("Input.dispatchMouseEvent", type=kind, **where)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE)


_COMPLAINTS = {"Log.entryAdded", "Runtime.exceptionThrown", "Audits.issueAdded"}


@contextlib.asynccontextmanager
async def page(directory: Path) -> AsyncIterator[Page]:
    """Run a browser with an empty profile in *directory* and yield its tab."""
    profile = directory / "profile"
    command = CHROMIUM.command(*_SWITCHES.split(), f"--user-data-dir={profile}", "about:blank")
    port = profile / "DevToolsActivePort"
    with running(command, directory / "chromium.log", lambda: _is_whole(port)):
        number = port.read_text("utf-8").splitlines()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{number}/json/list") as answer:
                [target] = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as line:
                yield await _ready(Page(line))


def _is_whole(port: Path) -> bool:
    return port.exists() and port.read_text("utf-8").count("\n") == 1
