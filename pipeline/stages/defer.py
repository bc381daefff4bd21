"""Putting off those who may not be written to at this hour."""

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
    Return who may be written to now, and put off the others until their window opens.

    That is kept in the ledger, never slept.
    """
    window = work.cached.campaign.delivery.window
    found = sort_by_window(window, channel, due, work.contents.recipients, time.time())
    if found.waits:
        unit = work.current.unit
        await deliveries.record({(unit.serial, unit.batch): found.waits})
    return found
