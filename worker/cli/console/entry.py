"""What every command does alike: exit codes, errors as sentences, one event loop."""

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, ParamSpec

import click

from config.errors import ConfigError
from pipeline.domain.errors import (
    ClaimcastError,
    CredentialsError,
    DeliveryError,
    RewardsError,
    UnavailableError,
)
from pipeline.domain.stored_format import FormatError
from pipeline.rewards.error_sentences import error_sentence
from pipeline.store.outages import ServerError
from worker.interrupt import INTERRUPTED

try:
    from uvloop import new_event_loop
except ImportError:  # not made for Windows
    from asyncio import new_event_loop  # type: ignore[assignment] # uvloop's makes its own

OK, NOT_ALL_REACHED, BAD_INPUT, UNREACHABLE = range(4)

_CLEANING_SECONDS = 5.0  # what is cleaned up may have to wait for a busy server
_ROOT = Path(__file__).parents[3]

P = ParamSpec("P")


def say(text: str) -> None:
    """Print *text* on standard error, for a person."""
    click.echo(text, err=True)


def fail(text: str, code: int) -> NoReturn:
    """Say *text* to people and end the command with the exit code."""
    say(f"Error: {text}")
    sys.exit(code)


def command(work: Callable[P, Coroutine[Any, Any, int]]) -> Callable[P, None]:
    """Run an async command and exit with the code that it returns, never with a traceback."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                code = runner.run(_terminable(work(*args, **kwargs)))
                sys.stdout.flush()
        except click.ClickException:
            raise
        except (KeyboardInterrupt, asyncio.CancelledError):
            say("Interrupted; run the same command again to go on.")
            sys.exit(INTERRUPTED)
        except BrokenPipeError as error:
            # Nobody reads on; what Python would still write at its end needs a place to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(explain_error(error)[1])
        except Exception as error:  # noqa: BLE001 - a traceback tells people nothing
            fail(*explain_error(error))
        sys.exit(code)

    return run


def explain_error(error: Exception) -> tuple[str, int]:
    """Return one sentence on *error* for people, and the exit code that goes with it."""
    match error:
        case ExceptionGroup(exceptions=(Exception() as first, *_)):
            return explain_error(first)
        case UnavailableError():
            return str(error), UNREACHABLE
        case CredentialsError():
            return error_sentence(error), BAD_INPUT
        case RewardsError():
            return error_sentence(error), UNREACHABLE
        case DeliveryError():
            return f"The channel does not answer as it should ({error}).", UNREACHABLE
        case ConfigError() | ClaimcastError():
            return str(error), BAD_INPUT
        case BrokenPipeError():
            return "The output was closed before all was written.", NOT_ALL_REACHED
        case ServerError():
            name = type(error).__name__
            return f"The connection to Redis was lost ({name}); run it again.", UNREACHABLE
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or type(error).__name__}.", UNREACHABLE
        case _:
            return (
                f"This should not have happened ({_type_and_location(error)}); please report it.",
                1,
            )


async def _terminable(work: Coroutine[Any, Any, int]) -> int:
    """Let SIGTERM end the command as Ctrl-C does: what it began is cleaned up."""
    ourselves, task = asyncio.current_task(), asyncio.create_task(work)
    assert ourselves is not None  # noqa: S101 - a coroutine runs in one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ourselves.cancel)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # One may be lost (see domain.tasks), and a second one too early would stop the cleaning.
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_CLEANING_SECONDS)
        if not task.cancelled() and isinstance(error := task.exception(), FormatError):
            raise error from None  # the signal was our own: see worker/wiring/ledger.py
        raise


def _type_and_location(error: Exception) -> str:
    """Return type and source line of *error*; its text may hold what people must not see."""
    trace, location = error.__traceback__, ""
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and ".venv" not in path.parts:
            location = f" at {path.relative_to(_ROOT)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return type(error).__name__ + location
