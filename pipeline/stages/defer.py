"""Putting off those who may not be written to at this hour."""

import time

from pipeline.domain.models import ChannelName
from pipeline.sending.quiet_hours import Hours, hours
from pipeline.stages.batch_work import Work
from pipeline.stages.due_deliveries import Due
from pipeline.store.deliveries import DeliveryStore


async def defer(work: Work, deliveries: DeliveryStore, channel: ChannelName, due: Due) -> Hours:
    """
    Return who may be written to now, and put off the others until their window opens.

    That is kept in the ledger, never slept.
    """
    window = work.known.campaign.delivery.window
    found = hours(window, channel, due, work.packet.recipients, time.time())
    if found.waits:
        unit = work.current.unit
        await deliveries.record({(unit.serial, unit.batch): found.waits})
    return found
