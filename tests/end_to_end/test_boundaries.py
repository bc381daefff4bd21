"""A worker dies right before and right after every call to the outside, and another goes on."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.support.aftermath import InFlight, aftermath
from tests.end_to_end.support.killable import KILLED, PORTS, Kill, Moment, recorded
from tests.end_to_end.support.lane import Lane, Servers, servers_beside
from tests.end_to_end.support.portlist import IN_TROUBLE, NOT_CALLED
from tests.end_to_end.support.troubles import PLAIN, POOR, Scenario

MOMENTS: tuple[Moment, ...] = ("before", "after")
SOMETIMES_ONCE = {
    "BatchStore.next_due",
    "CampaignStore.definition",
    "CampaignStore.sealed_definition",
    "FleetToken.discard",
    "ProductCache.read",
    "ProductCache.write",
    "RewardsClient.products",
    "TokenCache.lock",
    "TokenCache.refuse",
    "TokenCache.renew",
}
"""Ports that are called more often than once only if several batches meet there."""

ALWAYS = sorted(PORTS.keys() - IN_TROUBLE.keys() - NOT_CALLED.keys())


@pytest.fixture(scope="module")
def servers(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers_beside(valkey_url, tmp_path_factory.mktemp("boundaries")) as found:
        yield found


@pytest.fixture(scope="module")
def calls(servers: Servers) -> Counter[str]:
    """How often each port is called when nobody dies."""
    return asyncio.run(_recorded(servers))


async def _recorded(servers: Servers) -> Counter[str]:
    record = servers.directory / "calls.json"
    async with servers.lane() as lane, PLAIN.around(lane):
        assert await lane.run("worker", "--burst", record=record) == 0
        (await aftermath(lane)).judge(())
    return Counter(recorded(record))


def test_every_port_that_a_worker_calls_has_its_kills_and_no_other(calls: Counter[str]) -> None:
    known = PORTS.keys()
    assert calls.keys() <= known
    found = sorted(calls.keys() - IN_TROUBLE.keys())
    assert found == ALWAYS, "a port without kills, or one that no worker calls"
    assert not IN_TROUBLE.keys() & NOT_CALLED.keys()
    assert IN_TROUBLE.keys() | NOT_CALLED.keys() <= known, "a port that there is no more"
    assert all(NOT_CALLED.values())
    assert calls.keys() >= SOMETIMES_ONCE


@pytest.mark.parametrize("port", ALWAYS)
async def test_nothing_is_lost_or_doubled_when_a_worker_is_killed_at(
    servers: Servers, calls: Counter[str], port: str
) -> None:
    numbers = [1]
    if port not in SOMETIMES_ONCE and calls[port] > 2:
        # A third of the way: how often something is polled differs from run to run.
        numbers.append(max(2, calls[port] // 3))
    kills = [Kill(port, moment, number) for moment in MOMENTS for number in numbers]
    async with asyncio.TaskGroup() as group:
        for kill in kills:
            group.create_task(_killed(servers, kill, PLAIN))


@pytest.mark.parametrize("port", [port for port in IN_TROUBLE if IN_TROUBLE[port] is not POOR])
async def test_nothing_is_lost_or_doubled_when_a_worker_in_trouble_is_killed_at(
    servers: Servers, port: str
) -> None:
    async with asyncio.TaskGroup() as group:
        for moment in MOMENTS:
            group.create_task(_killed(servers, Kill(port, moment, 1), IN_TROUBLE[port]))


@pytest.mark.parametrize("port", [port for port in IN_TROUBLE if IN_TROUBLE[port] is POOR])
async def test_nothing_is_lost_or_doubled_when_a_worker_without_funds_is_killed_at(
    valkey_url: str, tmp_path: Path, port: str
) -> None:
    with servers_beside(valkey_url, tmp_path, "--funds", "0") as servers:
        for moment in MOMENTS:
            await _killed(servers, Kill(port, moment, 1), POOR)


async def _killed(servers: Servers, kill: Kill, scenario: Scenario) -> None:
    """Kill a worker, at an earlier call where it made fewer, let another finish, and judge."""
    while not await _died(servers, kill, scenario):
        # What is polled is called less often where less has to be waited for.
        kill = replace(kill, number=max(2, kill.number // 2))


async def _died(servers: Servers, kill: Kill, scenario: Scenario) -> bool:
    """Return whether the worker made that call; judge what came of it, or of a life without it."""
    async with servers.lane() as lane, scenario.around(lane):
        try:
            code = await lane.run("worker", "--burst", kill=kill)
            if code == 0 and kill.number > 2:
                (await aftermath(lane)).judge(())
                return False
            assert code == KILLED, "it was not reached"
            in_flight = await lane.in_flight()
            await lane.time_passes()
            lane.settings.pop("CLAIMCAST_LEASE_SECONDS", None)  # the worker that goes on has time
            await _finish(lane, scenario)
            if scenario.cancelled:
                (await aftermath(lane)).judge_cancelled()
            else:
                await _judge(lane, in_flight)
        except BaseException as error:
            error.add_note(f"killed {kill}; {lane.log} says what it did")
            raise
    return True


async def _finish(lane: Lane, scenario: Scenario) -> None:
    assert await lane.run("worker", "--burst") == 0
    if scenario.mended:
        verb, *options = scenario.mended
        assert await lane.run(verb, lane.campaign, *options) == 0
        assert await lane.run("worker", "--burst") == 0


async def _judge(lane: Lane, in_flight: InFlight) -> None:
    """Judge, and once more after the operator had the uncertain sent again."""
    found = await aftermath(lane)
    found.judge(in_flight)
    if found.uncertain:
        assert await lane.run("retry", lane.campaign, "--uncertain") == 0
        assert await lane.run("worker", "--burst") == 0
        found = await aftermath(lane)
        found.judge(in_flight)
        assert not found.uncertain
