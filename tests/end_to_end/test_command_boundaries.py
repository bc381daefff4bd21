"""An operator's command is killed at its boundaries, and typed again: the same state follows."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.support.killable import KILLED, Kill, recorded
from tests.end_to_end.support.lane import Servers, servers_beside
from tests.end_to_end.support.operators import COMMANDS, Command, State, state_of
from tests.end_to_end.support.portlist import BY_COMMANDS, NOT_CALLED

_AT_ONCE = 4
_VERB = "Scripts.call"
_EVERYWHERE = {
    f"Keyring.{name}" for name in ("unlock", "enroll", "keep_enrolled", "missing", "leave")
}
_EVERYWHERE.add("Keyring.sealed_with")


@pytest.fixture(scope="module")
def servers(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers_beside(valkey_url, tmp_path_factory.mktemp("commands")) as found:
        yield found


@pytest.mark.parametrize("command", COMMANDS, ids=str)
async def test_a_command_killed_at_a_boundary_and_typed_again_leaves_the_same_state(
    servers: Servers, command: Command, tmp_path: Path
) -> None:
    wanted, kills = await _undisturbed(servers, command, tmp_path / "calls.json")
    assert len(kills) > 4
    turns = asyncio.Semaphore(_AT_ONCE)

    async def killed(kill: Kill) -> None:
        async with turns:
            assert await _typed_again(servers, command, kill) == wanted, f"killed {kill}"

    async with asyncio.TaskGroup() as group:
        for kill in kills:
            group.create_task(killed(kill))


async def test_every_port_that_only_commands_call_is_among_those_that_are_killed(
    servers: Servers, tmp_path: Path
) -> None:
    killed: set[str] = set()
    for command in COMMANDS:
        _, kills = await _undisturbed(servers, command, tmp_path / f"{command}.json")
        killed.update(kill.port for kill in kills)

    assert killed >= {port for port, why in NOT_CALLED.items() if why == BY_COMMANDS}


async def _undisturbed(
    servers: Servers, command: Command, record: Path
) -> tuple[State, Sequence[Kill]]:
    """Return the state that a command leaves, and where it can be killed."""
    async with servers.lane() as lane:
        words = await command.prepare(lane, await lane.opened())
        assert await lane.run(*words, record=record) == 0
        return await state_of(lane), list(_kills(recorded(record)))


def _kills(called: Sequence[str]) -> Iterator[Kill]:
    """
    Yield each side of every Lua verb, and of the first call of every other port.

    What every command begins and ends with is left out: it is what workers do, too.
    """
    numbers: Counter[str] = Counter()
    begun = False
    for port in called:
        numbers[port] += 1
        own = port != _VERB and port not in _EVERYWHERE
        begun = begun or own
        if (begun and port == _VERB) or (own and numbers[port] == 1):
            yield Kill(port, "before", numbers[port])
            yield Kill(port, "after", numbers[port])


async def _typed_again(servers: Servers, command: Command, kill: Kill) -> State:
    async with servers.lane() as lane:
        words = await command.prepare(lane, await lane.opened())
        assert await lane.run(*words, kill=kill) == KILLED, f"not reached: {kill}"
        await lane.time_passes()
        code = await lane.run(*words)
        assert code in command.codes, f"killed {kill}: {lane.log.read_text('utf-8')}"
        return await state_of(lane)
