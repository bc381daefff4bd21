"""The environment, for commands that log."""

from contextlib import AbstractAsyncContextManager

import structlog

from config.logging import configure_logging
from config.settings import Settings, load_settings
from worker.wiring.ledger import App, Use, open_ledger

log = structlog.get_logger()


def settings() -> Settings:
    """Read the environment and set up logging; raises ConfigError."""
    found = load_settings()
    configure_logging(found.log_format)
    return found


def open_logged(*, keys: Use = "seal") -> AbstractAsyncContextManager[App]:
    """Open the ledger that the environment names, without what orders and sends."""
    return open_ledger(settings(), log, keys=keys)
