"""The state of the installation as Prometheus' gauges; no label has values without a bound."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from pipeline.domain.batch import WORKED_LANES, Lane
from pipeline.domain.models import DeliveryStatus
from pipeline.store.fleet.readings import CampaignReading, FleetReading, Readings
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import campaign_state
from worker.web.counters import counters

MOST_CAMPAIGNS = 500
_TRIED = tuple(status for status in DeliveryStatus if status is not DeliveryStatus.PENDING)


async def read_metrics(readings: Readings) -> list[Metric]:
    """
    Return every gauge of the installation, and what its workers counted.

    Of more than 500 campaigns the newest are counted, and how many are not is a gauge too.
    Raises one of STORE_ERRORS.
    """
    fleet = await readings.fleet()
    serials = [*fleet.active, *fleet.finished][:MOST_CAMPAIGNS]
    campaigns, queued = await readings.campaigns(serials, fleet)
    return [
        *_fleet_gauges(fleet, queued),
        *_campaign_gauges(fleet, campaigns),
        *counters(fleet.counted),
    ]


def _fleet_gauges(fleet: FleetReading, queued: int) -> list[Metric]:
    return [
        _gauge(
            "claimcast_workers", "Workers that gave a sign of life in 15 s", len(fleet.workers)
        ),
        _gauge("claimcast_leases", "Batches that live workers work on", fleet.leases),
        _gauge("claimcast_suppressed_addresses", "Addresses nobody writes to", fleet.suppressed),
        _gauges(
            "claimcast_queue_jobs",
            "Jobs in arq's queues",
            "queue",
            {"submit": fleet.submits, "units": queued},
        ),
        _gauges(
            "claimcast_breaker_open_seconds",
            "For how long a provider is still left alone because it failed",
            "channel",
            {channel: silence for channel, (_, silence) in fleet.breakers.items()},
        ),
        _gauges(
            "claimcast_breaker_failures",
            "Failures of a provider since it last took a message",
            "channel",
            {channel: failures for channel, (failures, _) in fleet.breakers.items()},
        ),
        _gauges(
            "claimcast_next_permit_seconds",
            "Until a rate limit gives the next permit",
            "limit",
            fleet.permits,
        ),
        _gauge(
            "claimcast_campaigns_uncounted",
            "Campaigns that the other gauges leave out",
            max(0, len(fleet.active) + len(fleet.finished) - MOST_CAMPAIGNS),
        ),
    ]


def _campaign_gauges(fleet: FleetReading, campaigns: Sequence[CampaignReading]) -> list[Metric]:
    snapshots = [campaign.snapshot for campaign in campaigns]
    lags = {
        lane.value: max((_lag(campaign, lane, fleet.now) for campaign in campaigns), default=0.0)
        for lane in WORKED_LANES
    }
    states = Counter(campaign_state(snapshot)[0].value for snapshot in snapshots)
    batches = _sums(snapshot.batches() for snapshot in snapshots)
    people = _sums(snapshot.people() for snapshot in snapshots)
    links = _sums(snapshot.links() for snapshot in snapshots)
    held = _sums(snapshot.held_reasons() for snapshot in snapshots)
    return [
        _gauges("claimcast_campaigns", "Campaigns by state", "state", states),
        _deliveries(snapshots),
        _gauge(
            "claimcast_deliveries_pending",
            "Deliveries that wait for their turn, over whatever channel",
            sum(snapshot.deliveries()[DeliveryStatus.PENDING] for snapshot in snapshots),
        ),
        _gauges("claimcast_people", "Recipients by outcome", "state", people),
        _gauges("claimcast_links", "Claim links", "state", links),
        _gauges("claimcast_batches", "Batches by state", "state", batches),
        _gauges("claimcast_batches_held", "Held batches by reason", "reason", held),
        _gauges("claimcast_due_lag_seconds", "How late the first due batch is", "lane", lags),
    ]


def _lag(campaign: CampaignReading, lane: Lane, now: float) -> float:
    """Return for how long work that may be done has waited for somebody to do it."""
    flags = campaign.snapshot
    if lane not in campaign.due or flags.paused or lane in flags.blocked:
        return 0.0
    # A score of 0 means "at once", and nothing was due before there was a campaign.
    began = flags.begun_ms / 1000
    return max(0.0, now - max(campaign.due[lane], began))


def _deliveries(snapshots: Sequence[CampaignSnapshot]) -> Metric:
    """Return the deliveries that were tried, by channel and status."""
    family = GaugeMetricFamily(
        "claimcast_deliveries",
        "Deliveries that were tried, by channel and status",
        labels=["channel", "status"],
    )
    channels = {channel for found in snapshots for channel in found.channels}
    for channel in sorted(channels):
        for status in _TRIED:
            number = sum(found.tried(channel)[status] for found in snapshots)
            family.add_metric([channel, status], number)
    return family


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return total


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _gauges(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
