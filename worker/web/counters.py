"""What the workers counted, as Prometheus' counters; other names in Redis are left out."""

from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)

from pipeline.domain.batch import WORKED_LANES
from pipeline.domain.metrics import BUCKETS, result_of
from pipeline.domain.models import ChannelName, FactKind
from pipeline.store.fleet.readings import LIMIT_NAMES

_LOSS = "; what a killed worker counted in its last 5 s is missing"


def counters(totals: Mapping[str, float]) -> list[Metric]:
    """Return every counter of the fleet from its stored totals; pure."""
    return [_attempts(totals), _reads(totals), _permits(totals), _stages(totals)]


def _attempts(totals: Mapping[str, float]) -> Metric:
    results = sorted(set(map(result_of, FactKind)))
    names = ((channel.value, result) for channel in ChannelName for result in results)
    return _counter(
        "claimcast_attempts",
        "Messages that were tried, or looked for at the provider, by what came of it",
        ["channel", "result"],
        {labels: totals.get(f"attempts|{'|'.join(labels)}") for labels in names},
    )


def _reads(totals: Mapping[str, float]) -> Metric:
    return _counter(
        "claimcast_order_reads",
        "Looks at orders that were not finished, by their turn or because of a webhook",
        ["cause"],
        {(cause,): totals.get(f"reads|{cause}", 0) for cause in ("poll", "webhook")},
    )


def _permits(totals: Mapping[str, float]) -> Metric:
    family = SummaryMetricFamily(
        "claimcast_permit_wait_seconds",
        "Permits given, and seconds that work waited for them, put off or in hand; the limits"
        f" of single campaigns count under their channel{_LOSS}",
        labels=["limit"],
    )
    for limit in LIMIT_NAMES:
        granted, waited = (
            totals.get(f"{name}|{limit}", 0) for name in ("permits", "permits_seconds")
        )
        family.add_metric([limit], round(granted), waited)
    return family


def _stages(totals: Mapping[str, float]) -> Metric:
    family = HistogramMetricFamily(
        "claimcast_stage_seconds",
        f"How long a worker worked on one batch at a time, waits for permits included{_LOSS}",
        labels=["stage"],
    )
    for stage in WORKED_LANES:
        buckets, number = [], 0.0
        for bound in (*map(str, BUCKETS), "+Inf"):
            number += totals.get(f"stage|{stage}|{bound}", 0)
            buckets.append((bound, number))
        family.add_metric([stage], buckets, totals.get(f"stage_seconds|{stage}", 0))
    return family


def _counter(
    name: str,
    words: str,
    labels: Iterable[str],
    values: Mapping[tuple[str, ...], float | None],
) -> Metric:
    """Return a family of counters; None stands for what never happened and is not shown."""
    family = CounterMetricFamily(name, words + _LOSS, labels=list(labels))
    for names, number in values.items():
        if number is not None:
            family.add_metric(names, number)
    return family
