"""The command `worker`: works until it is stopped."""

import click

from worker.cli.console.configured import settings
from worker.cli.console.entry import OK, command
from worker.cli.console.signals import stop_signals
from worker.executor.collector import tune_garbage_collector
from worker.executor.executor import Executor
from worker.wiring.engine import open_app, open_engine


@click.command()
@click.option("--burst", is_flag=True, help="Exit when nothing is due within a minute.")
@command
async def worker(*, burst: bool) -> int:
    """
    Start a worker: it works on all submitted campaigns, together with every other worker.

    SIGTERM or Ctrl-C settles what is on the wire and exits within seconds; a second one exits at
    once. What a killed worker had in hand is taken over by another one.
    """
    found = settings()
    async with open_app(found, patient=True) as app, open_engine(app) as engine:
        executor = Executor(app, engine)
        tune_garbage_collector()
        with stop_signals(executor.stop):
            await executor.run(burst=burst)
    return OK
