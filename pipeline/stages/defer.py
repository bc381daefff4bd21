"""Defers deliveries outside the hours in which their recipients may be written to."""

import time

from pipeline.domain.models import ChannelName
from pipeline.sending.quiet_hours import QuietHours, sort_by_window
from pipeline.stages.batch_work import BatchJob
from pipeline.stages.due_deliveries import Due
from pipeline.store.deliveries import DeliveryStore


async def defer(
    work: BatchJob, deliveries: DeliveryStore, channel: ChannelName, due: Due
) -> QuietHours:
    """
    Return the deliveries that may be sent now, and defer the others until their window opens.

    The ledger keeps when that is; nothing sleeps until then.
    """
    window = work.cached.campaign.delivery.window
    found = sort_by_window(window, channel, due, work.contents.recipients, time.time())
    if found.waits:
        unit = work.current.unit
        await deliveries.record({(unit.serial, unit.batch): found.waits})
    return found
