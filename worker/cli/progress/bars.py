"""How far a campaign is: bars for people at a terminal, a log line now and then for others."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config.logging import LogFormat, configure_logging
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import campaign_state

log = structlog.get_logger()

_LINE_SECONDS = 10.0
_STAGES = ("submit", "order", "fulfil", "send")


class Display(Protocol):
    """Shows how far a campaign is; may be called often, and draws what is worth drawing."""

    def submitting(self, rows: int, share: float) -> None:
        """Show that *rows* were read, about that *share* of the whole."""
        ...

    def working(self, snapshot: CampaignSnapshot) -> None: ...

    def suspended(self) -> AbstractContextManager[None]:
        """Leave the terminal to a question for the time of the context."""
        ...


@contextmanager
def display(log_format: LogFormat | None) -> Iterator[Display]:
    """Return the display that fits standard error; ends with the context."""
    if not sys.stderr.isatty():
        yield ProgressLog()
        return
    bars = Bars()
    try:
        with bars.progress:
            # What is logged goes above the bars, and only what a person should know.
            configure_logging(log_format, sys.stderr)
            logging.getLogger("claimcast").setLevel(logging.WARNING)
            yield bars
    finally:
        configure_logging(log_format)


class Bars:
    """One bar per stage; a person counts in each once."""

    def __init__(self) -> None:
        self.progress = Progress(
            TextColumn("{task.description:8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._bars = {name: self.progress.add_task(name, total=None) for name in _STAGES}
        for name in _STAGES[1:]:
            self.progress.update(self._bars[name], visible=False)

    def submitting(self, rows: int, share: float) -> None:
        total = max(rows, round(rows / share)) if share else None
        self.progress.update(self._bars["submit"], completed=rows, total=total)

    def working(self, snapshot: CampaignSnapshot) -> None:
        total = snapshot.recipients
        for name, completed in stages(snapshot).items():
            self.progress.update(self._bars[name], completed=completed, total=total, visible=True)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        self.progress.stop()
        try:
            yield
        finally:
            self.progress.start()


class ProgressLog:
    """A log line every ten seconds, if anything has changed."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _LINE_SECONDS
        self._last: dict[str, object] = {}

    def submitting(self, rows: int, share: float) -> None:
        self._line("campaign.submitting", rows=rows, percent=round(100 * share))

    def working(self, snapshot: CampaignSnapshot) -> None:
        state, reason = campaign_state(snapshot)
        self._line(
            "campaign.progress",
            campaign=snapshot.campaign_id,
            state=state.value,
            reason=reason,
            recipients=snapshot.recipients,
            **stages(snapshot),
        )

    def suspended(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _line(self, event: str, **facts: object) -> None:
        now = time.monotonic()
        if now >= self._next and facts != self._last:
            self._next, self._last = now + _LINE_SECONDS, facts
            log.info(event, **facts)


def stages(snapshot: CampaignSnapshot) -> dict[str, int]:
    """Return how many people have passed each stage."""
    links, settled = snapshot.links(), snapshot.people()
    counts = (
        snapshot.recipients,
        links["ordered"],
        links["received"],
        settled["reached"] + settled["not_reached"],
    )
    return dict(zip(_STAGES, counts, strict=True))
