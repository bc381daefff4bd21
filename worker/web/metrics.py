"""What Prometheus reads: what this process received, and where the whole installation stands."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from pipeline.domain.clock import uptime
from pipeline.store.outages import STORE_ERRORS
from worker.web.gauges import read_metrics
from worker.wiring.ledger import App

log = structlog.get_logger()

_FRESH_SECONDS = 5.0
_READ_SECONDS = 4.0  # a scrape times out after 10 by default

WebhookKind = Literal["fulfilment", "twilio", "inbound", "unsubscribe", "bounce"]
WebhookResult = Literal["taken", "ignored", "refused", "unknown_token", "bad_signature"]


class WebhookCounter(Collector):
    """Counts what came in, by kind and result; both are words of ours, never of a sender."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[WebhookKind, WebhookResult]] = Counter()

    def count(self, kind: WebhookKind, result: WebhookResult) -> None:
        self._counts[kind, result] += 1

    def collect(self) -> Iterable[Metric]:
        """Return the counters as Prometheus collects them; called at every scrape."""
        family = CounterMetricFamily(
            "claimcast_webhooks",
            "Webhooks received by this process since it started",
            labels=["kind", "result"],
        )
        for labels, number in self._counts.items():
            family.add_metric(labels, number)
        return [family]


class _Installation(Collector):
    """What was last read of the installation."""

    gauges: Sequence[Metric] = ()

    def collect(self) -> Iterable[Metric]:
        """Return the counters as Prometheus collects them; called at every scrape."""
        return self.gauges


class Metrics:
    """
    `/metrics`: however often it is asked for, the ledger is read at most every five seconds.

    The values of the installation are the same at every process of it; without Redis, only
    `claimcast_redis_up` is left of them.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._registry = CollectorRegistry()
        self._installation = _Installation()
        self._registry.register(self._installation)
        ProcessCollector(registry=self._registry)
        self._reading = asyncio.Lock()
        self._read_at = -_FRESH_SECONDS
        self.webhooks = WebhookCounter()
        self._registry.register(self.webhooks)

    async def show(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        async with self._reading:
            if uptime() - self._read_at >= _FRESH_SECONDS:
                self._installation.gauges = await self._gauges()
                self._read_at = uptime()
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def _gauges(self) -> list[Metric]:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                found = await read_metrics(self._app.readings)
        except STORE_ERRORS as error:
            log.warning("metrics.not_read", error=type(error).__name__)
            return [_up(0)]
        return [_up(1), *found]


def _up(value: int) -> Metric:
    return GaugeMetricFamily("claimcast_redis_up", "1 if Redis answers", value=value)
