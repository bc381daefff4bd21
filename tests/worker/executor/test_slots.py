"""How much a worker has in hand, and what it may take on top."""

from pipeline.domain.batch import Lane, Unit
from worker.executor.slots import Slots


def slots() -> Slots:
    return Slots({Lane.ORDER: 1, Lane.READ: 1, Lane.SEND: 2}, extra=2)


def reserve(slots: Slots, number: int, lane: Lane = Lane.SEND) -> None:
    for each in range(len(slots), len(slots) + number):
        slots.reserve(Unit("1", each, lane, 1), seconds=30)


def test_a_lane_has_slots_of_its_own() -> None:
    found = slots()
    reserve(found, 2)
    assert {lane: found.free(lane) for lane in (Lane.ORDER, Lane.READ, Lane.SEND)} == {
        Lane.ORDER: 1,
        Lane.READ: 1,
        Lane.SEND: 0,
    }
    assert found.extra_free() == 2


def test_what_goes_beyond_a_lane_takes_of_the_slots_on_top() -> None:
    found = slots()
    reserve(found, 3)
    assert (found.free(Lane.SEND), found.extra_free()) == (0, 1)
    reserve(found, 2, Lane.ORDER)
    assert (found.free(Lane.ORDER), found.extra_free()) == (0, 0)


def test_what_arq_runs_again_has_a_slot_as_well() -> None:
    found, again = slots(), Unit("1", 1, Lane.SEND, 1)
    found.start(again)
    assert (len(found), found.running(), found.waiting()) == (1, 1, [])
    found.release(again)
    assert len(found) == 0


def test_a_slot_that_is_given_back_is_one_on_top_first() -> None:
    found = slots()
    reserve(found, 4)
    assert (found.free(Lane.SEND), found.extra_free()) == (0, 0)
    found.release(Unit("1", 0, Lane.SEND, 1))
    assert (found.free(Lane.SEND), found.extra_free()) == (0, 1)
