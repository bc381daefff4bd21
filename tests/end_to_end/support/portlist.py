"""Which ports a worker calls only in trouble, and which it never calls."""

from tests.end_to_end.support.troubles import CANCELLED, FOREIGN, POOR, SHAKY, SLOW

BY_COMMANDS = "only commands call it; test_command_boundaries.py kills those"
_READING = "reads for people and changes nothing"
_SERVE = "called by `serve`"
_NO_WEBHOOK = "as the other channels; the sandbox has no app that takes messages"

IN_TROUBLE = {
    "BatchStore.cancel": CANCELLED,
    "BatchStore.hold": FOREIGN,
    "AlertStore.put": FOREIGN,
    "BatchStore.renew": SLOW,
    "Limiter.trip": SHAKY,
    "Limiter.hush": SHAKY,
    "BatchStore.order_unsent": POOR,
    "CampaignStore.block": POOR,
}
"""Ports that a worker calls only when something is wrong."""

NOT_CALLED = {
    "ArqRedis.all_job_results": _READING,
    "ArqRedis.queued_jobs": _READING,
    "AuditTrail.violations": _READING,
    "BatchPages.page": BY_COMMANDS,
    "BatchPages.place": BY_COMMANDS,
    "BatchStore.evidence": _READING,
    "BatchStore.held_numbers": BY_COMMANDS,
    "BatchStore.read": "only when somebody is forgotten while their links come in; it reads",
    "BatchStore.retry": BY_COMMANDS,
    "BatchStore.wake": "for units never started: after a lost call, or at a stop; it hastens",
    "CampaignStore.earlier": _READING,
    "CampaignStore.edit": BY_COMMANDS,
    "CampaignStore.find": BY_COMMANDS,
    "CampaignStore.has_recipients": _READING,
    "CampaignStore.locate": BY_COMMANDS,
    "CampaignStore.snapshots": _READING,
    "CampaignStore.steer": BY_COMMANDS,
    "CampaignStore.totals": _READING,
    "CampaignStore.unblock": BY_COMMANDS,
    "DeliveryStore.read": _READING,
    "DeliveryStore.resend": BY_COMMANDS,
    "EmailChannel.check": _READING,
    "ErasureStore.erase": BY_COMMANDS,
    "EverySecond.until_on_disk": "only with a server that does not sync every write",
    "Keyring.check_format": _READING,
    "Keyring.living": BY_COMMANDS,
    "Keyring.others": BY_COMMANDS,
    "Keyring.retire": BY_COMMANDS,
    "Limiter.breaker": _READING,
    "Limiter.rates": _READING,
    "Limiter.set_rate": "`limits`, one write",
    "Limiter.unset_rate": "`limits`, one write and a hint that is forgotten",
    "Lookups.count": _READING,
    "Lookups.owners": _READING,
    "Lookups.places": BY_COMMANDS,
    "Lookups.positions": _READING,
    "PurgeStore.begin": BY_COMMANDS,
    "PurgeStore.end": BY_COMMANDS,
    "PurgeStore.keep_turn": "only after a purge of what ended long ago; it prolongs a turn",
    "PurgeStore.remove": BY_COMMANDS,
    "PurgeStore.rewrite_log": BY_COMMANDS,
    "Readings.campaigns": _READING,
    "Readings.fleet": _READING,
    "ReorderStore.divide": BY_COMMANDS,
    "SealedBlobs.replace": BY_COMMANDS,
    "Server.now_ms": BY_COMMANDS,
    "Server.ping": _READING,
    "Server.version": _READING,
    "SmsChannel.check": _READING,
    "StagingStore.pending": _READING,
    "Suppressions.add": "called by `serve`, and by a command; workers suppress as they record",
    "Suppressions.add_all": "`suppress import`, whose every page may be repeated",
    "Suppressions.count": _READING,
    "Suppressions.reasons": _READING,
    "Suppressions.remove": _SERVE,
    "WebhookChannel.aclose": _NO_WEBHOOK,
    "WebhookChannel.check": _NO_WEBHOOK,
    "WebhookChannel.send": _NO_WEBHOOK,
    "Workers.alive": BY_COMMANDS,
}
"""Ports that no worker calls in these courses, and why."""
