"""The ledger for commands that are over in a moment: they say what happens, and log nothing."""

from contextlib import AbstractAsyncContextManager

from config.settings import load_settings
from worker.cli.console.entry import say
from worker.wiring.ledger import App, Use, open_ledger

_SENTENCES = {
    "redis.unsafe": "this Redis server can lose what it acknowledged: {why}.",
    "valkey.restarted": "the embedded Valkey had died and was started again.",
    "valkey.not_restarted": "the embedded Valkey has died and cannot be started again: {why}",
}


class _ConsoleLog:
    """Stands in for a logger, and prints sentences for a person."""

    def warning(self, event: str, /, **fields: str) -> None:
        say(f"Warning: {_SENTENCES[event].format(**fields)}")


def open_session(*, keys: Use = "seal") -> AbstractAsyncContextManager[App]:
    """
    Open the ledger that the environment names; raises what `open_ledger` raises.

    What a command calls must not use structlog: it is not set up, as importing it and what it
    brings takes longer than most of these commands.
    """
    return open_ledger(load_settings(), _ConsoleLog(), keys=keys)
