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
    "BatchStore.evidence": _READING,
    "BatchStore.read": "only when somebody is forgotten while their links come in; it reads",
    "BatchStore.retry": BY_COMMANDS,
    "BatchStore.wake": "for units never started: after a lost call, or at a stop; it hastens",
    "CampaignStore.earlier": _READING,
    "CampaignStore.edit": BY_COMMANDS,
    "CampaignStore.find": BY_COMMANDS,
    "CampaignStore.locate": BY_COMMANDS,
    "CampaignStore.steer": BY_COMMANDS,
    "CampaignStore.unblock": BY_COMMANDS,
    "Contents.definition": _READING,
    "DeliveryStore.read": _READING,
    "DeliveryStore.resend": BY_COMMANDS,
    "EmailChannel.check": _READING,
    "EverySecond.until_on_disk": "only with a server that does not sync every write",
    "Forgetting.forget": BY_COMMANDS,
    "Forgetting.look": BY_COMMANDS,
    "Keyring.check_format": _READING,
    "Keyring.living": BY_COMMANDS,
    "Keyring.others": BY_COMMANDS,
    "Keyring.retire": BY_COMMANDS,
    "Limiter.breaker": _READING,
    "Limiter.rates": _READING,
    "Limiter.set_rate": "`limits`, one write",
    "Limiter.unset_rate": "`limits`, one write and a hint that is forgotten",
    "Places.strays": _READING,
    "Places.violations": _READING,
    "Purging.purge": BY_COMMANDS,
    "Rekey.look": BY_COMMANDS,
    "Rekey.reseal": BY_COMMANDS,
    "ReorderStore.divide": BY_COMMANDS,
    "ReorderStore.lookups_of": BY_COMMANDS,
    "ReorderStore.seen": _READING,
    "Reorders.carry_out": BY_COMMANDS,
    "Reorders.look": BY_COMMANDS,
    "Resending.resend": BY_COMMANDS,
    "SmsChannel.check": _READING,
    "Suppressions.add": "called by `serve`, and by a command; workers suppress as they record",
    "Suppressions.count": _READING,
    "Suppressions.reasons": _READING,
    "Suppressions.remove": _SERVE,
    "Timelines.of": _READING,
    "Verifier.run": _READING,
    "WebhookChannel.aclose": _NO_WEBHOOK,
    "WebhookChannel.check": _NO_WEBHOOK,
    "WebhookChannel.send": _NO_WEBHOOK,
}
"""Ports that no worker calls in these courses, and why."""
