"""When a server that keeps ending is started again."""

from tests.support.clock import Clock
from worker.valkey.restart_backoff import RestartBackoff


def pause(clock: Clock, tried: RestartBackoff) -> int:
    """Let the pause pass, second by second; return how many there were."""
    seconds = 0
    while tried.pausing:
        clock.now += 1
        seconds += 1
    return seconds


def test_the_first_start_is_at_once_and_pauses_double_up_to_half_a_minute(clock: Clock) -> None:
    tried = RestartBackoff()
    assert not tried.pausing
    found = []
    for _ in range(8):
        tried.fail()
        found.append(pause(clock, tried))
    assert found == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_server_that_ends_soon_was_started_in_vain_and_one_that_ends_late_was_not(
    clock: Clock,
) -> None:
    tried = RestartBackoff()
    assert not tried.in_vain()
    tried.start()
    clock.now += 9
    assert tried.in_vain()
    clock.now += 2
    assert not tried.in_vain()


def test_a_start_in_vain_counts_once(clock: Clock) -> None:
    tried = RestartBackoff()
    tried.start()
    tried.fail()
    pause(clock, tried)
    assert not tried.in_vain()


def test_it_is_settled_some_time_after_the_last_trouble(clock: Clock) -> None:
    tried = RestartBackoff()
    tried.fail()
    pause(clock, tried)
    found = [tried.settled]
    clock.now += 11
    found.append(tried.settled)
    tried.start()
    found.append(tried.settled)
    assert found == [False, True, False]


def test_once_all_is_well_the_pauses_begin_anew(clock: Clock) -> None:
    tried = RestartBackoff()
    for _ in range(5):
        tried.fail()
        pause(clock, tried)
    found = [tried.failing]
    tried.reset()
    assert [*found, tried.failing] == [True, False]
    tried.fail()
    assert pause(clock, tried) == 1
