"""`python -m bench`: claimcast measured beside the ceiling and beside plain arq."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import click
import uvloop

from bench.measures import (
    distant,
    edges,
    fair,
    intake,
    limiter,
    million,
    profile,
    scale,
    sending,
    small,
    webhooks,
)
from bench.measures.session import QUICK, Session, Sizes
from bench.report.figures import Results
from bench.report.publish import publish
from bench.report.tables import as_text
from bench.world.machine import describe
from bench.world.processes import BenchError
from bench.world.sinks import SinkKind

PARTS: Mapping[str, Callable[[Session], Awaitable[None]]] = {
    "sending": sending.measure,
    "distant": distant.measure,
    "small": small.measure,
    "intake": intake.measure,
    "orders": edges.orders,
    "sms": edges.sms,
    "webhooks": webhooks.measure,
    "limiter": limiter.measure,
    "scale": scale.measure,
    "fair": fair.measure,
    "million": million.measure,
    "profile": profile.measure,
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--quick", is_flag=True, help="Small sizes: to see that it runs, not for numbers.")
@click.option("--million", "with_million", is_flag=True, help="Also a million people.")
@click.option("--rounds", type=click.IntRange(min=1), help="How often each is measured.")
@click.option("--people", type=click.IntRange(min=100), help="People per round, side by side.")
@click.option(
    "--sink",
    "sink_kind",
    type=click.Choice(["auto", "smtp-sink", "own"]),
    default="auto",
    show_default=True,
    help="Where the mail goes; auto is smtp-sink where it is installed.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write everything that was measured to this file, as JSON.",
)
@click.option("--publish", "published", is_flag=True, help="Renew the page of the benchmarks.")
@click.option("--keep", is_flag=True, help="Keep the folder with all data and logs.")
def main(
    *,
    parts: tuple[str, ...],
    quick: bool,
    with_million: bool,
    rounds: int | None,
    people: int | None,
    sink_kind: SinkKind,
    output: Path | None,
    published: bool,
    keep: bool,
) -> None:
    """
    Measure PARTS, or everything but the million.

    Everything runs in a temporary folder, on servers of its own; nothing else should run then.
    """
    _forget_settings()
    directory = Path(tempfile.mkdtemp(prefix="claimcast-bench-"))
    directory.chmod(0o755)  # smtp-sink changes its user
    session = Session(
        directory=directory,
        sizes=_sizes(quick=quick, rounds=rounds, people=people, million=with_million),
        sink=sink_kind,
        results=Results(machine=describe(directory)),
        say=lambda text: click.echo(text, err=True),
    )
    # The profile needs a program that is not among what is installed.
    chosen = parts or [
        name for name in PARTS if name != "profile" and (name != "million" or with_million)
    ]
    try:
        uvloop.run(_measure(session, chosen))
    except BenchError as error:
        msg = f"{error} (see {directory})"
        raise click.ClickException(msg) from error
    if not keep:
        shutil.rmtree(directory)
    click.echo(as_text(session.results))
    if output is not None:
        output.write_text(session.results.to_json(), "utf-8")
    if published:
        publish(session.results)


async def _measure(session: Session, parts: "tuple[str, ...] | list[str]") -> None:
    for name in parts:
        session.say(name)
        await PARTS[name](session)
        await asyncio.sleep(0.5)  # what was stopped gives the processor back


def _sizes(*, quick: bool, rounds: int | None, people: int | None, million: bool) -> Sizes:
    sizes = QUICK if quick else Sizes()
    if rounds is not None:
        sizes = replace(sizes, rounds=rounds)
    if people is not None:
        sizes = replace(sizes, people=people)
    if million:
        sizes = replace(sizes, scale=(*sizes.scale, sizes.million))
    return sizes


def _forget_settings() -> None:
    """Let nothing take part of an installation that this machine has."""
    for name in [name for name in os.environ if name.upper().startswith("CLAIMCAST_")]:
        del os.environ[name]


if __name__ == "__main__":
    main(prog_name="python -m bench")
