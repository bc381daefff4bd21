"""The unsubscribe page in a real browser: its button counts, a look does not, its policy holds."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.support.world import World
from tests.real.chromium import Page, browser, page
from tests.real.parts import CHROMIUM, PATIENCE, free_port
from tests.real.site import site, suppressed, unsubscribe_links
from tests.support.waiting import wait_until

PEOPLE = ["person-0@example.com", "person-1@example.com"]
pytestmark = CHROMIUM.marks()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Run a site whose campaign has ended."""
    port = free_port()
    with site(tmp_path, f"http://127.0.0.1:{port}", port) as found:
        found.world.run("submit", *found.world.campaign(len(PEOPLE)))
        found.world.wait_for_state("finished")
        yield found.world


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Page]:
    with browser(tmp_path / "chromium") as address:
        async with page(address) as found:
            yield found


async def test_the_button_unsubscribes_and_looking_does_not(world: World, tab: Page) -> None:
    await tab.open(unsubscribe_links(world)[PEOPLE[0]])
    assert await tab.evaluate("document.title") == "Unsubscribe?"
    assert suppressed(world, PEOPLE) == []

    await tab.press("button")

    assert await tab.evaluate("document.title") == "You are unsubscribed"
    assert suppressed(world, PEOPLE) == PEOPLE[:1]
    assert tab.complaints == []


async def test_the_page_runs_and_shows_nothing_but_its_own(world: World, tab: Page) -> None:
    await tab.open(unsubscribe_links(world)[PEOPLE[0]])
    style = "getComputedStyle(document.querySelector('main')).maxWidth"
    assert await tab.evaluate(style) == "576px"  # 32rem of 18px: its own style is applied

    for name, text in (("script", "window.foreign = 1"), ("style", "main{max-width:1px}")):
        await tab.evaluate(
            f"document.head.append(Object.assign(document.createElement('{name}'),"
            f" {{textContent: '{text}'}}))"
        )

    assert await tab.evaluate("window.foreign") is None
    assert await tab.evaluate(style) == "576px"
    await wait_until(lambda: tab.violated() == {"script-src-elem", "style-src-elem"}, PATIENCE)
