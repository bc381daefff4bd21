"""The command `serve`: webhooks, unsubscribing and metrics, until it is stopped."""

import asyncio

import click

from config.settings import Settings
from worker.cli.console.configured import settings
from worker.cli.console.entry import OK, command, say
from worker.cli.console.signals import stop_signals
from worker.web.application import web_application
from worker.web.server import serving
from worker.wiring.engine import open_app


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="0 takes a free one.",
)
@command
async def serve(*, host: str, port: int) -> int:
    """
    Serve HTTP: fulfilment webhooks, delivery receipts, bounces, opt-outs and metrics.

    It speaks HTTP and belongs behind a proxy that ends TLS and keeps /metrics inside. It sends
    nothing: workers do. SIGTERM or Ctrl-C answers what has come in, then exits; a second one
    exits at once.
    """
    found = settings()
    stop = asyncio.Event()
    with stop_signals(stop.set):
        async with (
            open_app(found) as app,
            web_application(app) as site,
            serving(site, host, port) as address,
        ):
            say(f"Serving on http://{address} until Ctrl-C.")
            if missing := _missing(found):
                say(missing)
            await stop.wait()
    return OK


def _missing(found: Settings) -> str | None:
    """Return which requests will not come in, as it is configured."""
    if found.public_url is None:
        return (
            "CLAIMCAST_PUBLIC_URL is not set: messages and orders carry no address to answer to, "
            "and Twilio's webhooks are refused, because their signatures cover that address."
        )
    if found.twilio is None:
        return "Twilio is not configured, so its webhooks are refused."
    return None
