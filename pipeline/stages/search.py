"""Asks a provider about uncertain messages, where the provider can be asked."""

from pipeline.domain.models import DeliveryStatus
from pipeline.sending.dispatcher import Dispatcher, Search
from pipeline.stages.batch_work import BatchJob
from pipeline.stages.due_deliveries import Due


async def search(work: BatchJob, dispatcher: Dispatcher, due: Due) -> Due:
    """
    Queue a search for each uncertain delivery of *due*, and return the others.

    A provider that cannot be asked leaves all of them in the result.
    """
    if not dispatcher.searches:
        return due
    claim = work.current.lease.claim
    for index, record in due:
        if record.status is not DeliveryStatus.UNCERTAIN:
            continue
        wanted = Search(
            code=record.code,
            not_before=(claim.epoch_ms + record.started_ms) / 1000,
            resends=work.cached.campaign.resends(dispatcher.channel.name),
        )
        outgoing = work.outgoing(dispatcher, index, record, record.attempt, search=wanted)
        await dispatcher.reserve(1, resends=True)
        work.current.count_started(1)
        dispatcher.enqueue(outgoing)
    return [each for each in due if each[1].status is not DeliveryStatus.UNCERTAIN]
