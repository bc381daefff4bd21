"""A headless Chromium of our own, driven over the Chrome DevTools Protocol."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.real.parts import CHROMIUM, PATIENCE, running
from tests.support.waiting import wait_until

Event = dict[str, Any]

# What would reach out by itself is off. Root's browser has no sandbox, and sees only our pages.
_SWITCHES = """
--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync
--remote-debugging-port=0
"""
_COMPLAINTS = {"Log.entryAdded", "Runtime.exceptionThrown", "Audits.issueAdded"}


class Page:
    """One tab; `complaints` are what its console, its policies and its scripts complained of."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Event]] = {}
        self._loaded = ""
        self.complaints: list[Event] = []

    async def listen(self) -> None:
        """Take in what the browser says, until the line is closed."""
        async for message in self._line:
            said: Event = json.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Page.lifecycleEvent" and said["params"]["name"] == "load":
                self._loaded = said["params"]["loaderId"]
            elif said["method"] in _COMPLAINTS:
                self.complaints.append(said)

    async def command(self, method: str, **parameters: object) -> Event:
        """Give the browser a command and return its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._line.send_json({"id": number, "method": method, "params": parameters})
        said = await asyncio.wait_for(answer, PATIENCE)
        assert "error" not in said, said
        result: Event = said["result"]
        return result

    async def open(self, url: str) -> None:
        """Go to an address and wait until the page is loaded."""
        loader = (await self.command("Page.navigate", url=url))["loaderId"]
        await wait_until(lambda: self._loaded == loader, PATIENCE)

    def violated(self) -> set[str]:
        """Return the directives of the page's policy that something went against."""
        issues = [each["params"]["issue"] for each in self.complaints if "issue" in each["params"]]
        details = [issue["details"].get("contentSecurityPolicyIssueDetails") for issue in issues]
        return {found["violatedDirective"] for found in details if found}

    async def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - JSON
        found = await self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def press(self, selector: str) -> None:
        """Press the mouse on the middle of an element, and wait for the page that follows."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y, width, height = await self.evaluate(
            f"(({{x, y, width, height}}) => [x, y, width, height])({box})"
        )
        before = self._loaded
        where = {"x": x + width / 2, "y": y + height / 2, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            await self.command("Input.dispatchMouseEvent", type=kind, **where)
        await wait_until(lambda: self._loaded != before, PATIENCE)


@contextlib.contextmanager
def browser(directory: Path) -> Iterator[str]:
    """Run a browser with an empty profile in *directory* and yield where it takes commands."""
    directory.mkdir()
    profile = directory / "profile"
    command = CHROMIUM.command(*_SWITCHES.split(), f"--user-data-dir={profile}", "about:blank")
    port = profile / "DevToolsActivePort"
    with running(command, directory / "chromium.log", lambda: _is_whole(port)):
        yield f"http://127.0.0.1:{port.read_text('utf-8').splitlines()[0]}"


@contextlib.asynccontextmanager
async def page(address: str) -> AsyncIterator[Page]:
    """Yield the only tab of the browser that takes commands at *address*."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{address}/json/list") as answer:
            [target] = [each for each in await answer.json() if each["type"] == "page"]
        async with session.ws_connect(target["webSocketDebuggerUrl"]) as line:
            found = Page(line)
            listening = asyncio.create_task(found.listen())
            try:
                for domain in ("Page", "Log", "Runtime", "Audits"):
                    await found.command(f"{domain}.enable")
                await found.command("Page.setLifecycleEventsEnabled", enabled=True)
                yield found
            finally:
                await line.close()
                await listening


def _is_whole(port: Path) -> bool:
    # Two lines: the port and a path.
    return port.exists() and port.read_text("utf-8").count("\n") == 1
