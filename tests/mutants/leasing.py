"""Defects in leases: which worker may work on a batch, and when."""

from tests.mutants.defect import Defect

_LUA = "pipeline/store/lua/"
_BATCHES = "tests/pipeline/store/test_batches.py::"
_PUMP = "tests/pipeline/store/test_pump.py::"
_LEASES = "tests/pipeline/execution/test_leases.py::"

LEASING = (
    Defect(
        name="fencing-check-removed",
        path=_LUA + "lib/batch/owns_lease.lua",
        old="return token ~= '' and redis.call('HGET', batch, 'tok') == token",
        new="return true",
        costs="a frozen worker goes on sending beside the one that took over",
        test="tests/pipeline/store/test_deliveries.py::"
        "test_only_the_holder_of_the_live_lease_gets_intents",
    ),
    Defect(
        name="fencing-by-counter-alone",
        path=_LUA + "lib/batch/owns_lease.lua",
        old="return token ~= '' and redis.call('HGET', batch, 'tok') == token",
        new="local held = redis.call('HGET', batch, 'tok')\n"
        "  return held and string.match(held, '^%d+') == string.match(token, '^%d+')",
        costs="after data was lost two workers hold the same token",
        test=_BATCHES + "test_a_counter_that_rolled_back_with_lost_data_brings_no_lease_back",
    ),
    Defect(
        name="live-lease-taken",
        path=_LUA + "verbs/dispatch/claim.lua",
        old="if owner[4] ~= dispatch_number or (token and until_ms > now) then",
        new="if owner[4] ~= dispatch_number then",
        costs="two workers order or send the same batch",
        test=_BATCHES + "test_a_later_dispatch_waits_for_the_lease_of_an_earlier_one",
    ),
    Defect(
        name="dispatch-number-not-used-up",
        path=_LUA + "verbs/dispatch/claim.lua",
        old="  redis.call('HINCRBY', batch, 'turn', 1)\n",
        new="",
        costs="a job that arq runs twice works twice",
        test=_BATCHES + "test_a_job_that_runs_again_after_its_work_does_not_shorten_the_wait",
    ),
    Defect(
        name="lease-not-renewed",
        path="pipeline/execution/leases.py",
        old="                await self._renew()\n",
        new="                await asyncio.sleep(0)\n",
        costs="whatever takes longer than a lease is started a second time elsewhere",
        test=_LEASES + "test_a_lease_is_renewed_for_as_long_as_it_is_held",
    ),
    Defect(
        name="lost-lease-renewed",
        path=_LUA + "verbs/dispatch/renew.lua",
        old="if owns_lease(batch, ARGV[i + 3]) then",
        new="if redis.call('HEXISTS', batch, 'tok') == 1 then",
        costs="a worker that was taken over goes on to order",
        test=_LEASES + "test_the_heartbeat_notices_a_lost_lease",
    ),
    Defect(
        name="deadline-not-looked-at",
        path="pipeline/execution/leases.py",
        old="if self.lost or uptime() >= self.deadline:",
        new="if self.lost:",
        costs="a worker that wakes up after its lease sends what another one sends too",
        test=_LEASES + "test_after_its_deadline_nothing_may_be_started",
    ),
    Defect(
        name="deadline-after-the-call",
        path="pipeline/execution/leases.py",
        old="        lease = Lease(claim, deadline)\n",
        new="        lease = Lease(claim, uptime() + self._seconds)\n",
        costs="a slow answer makes the lease longer here than at the server",
        test=_LEASES + "test_an_answer_that_takes_long_makes_no_lease_longer",
    ),
    Defect(
        name="wake-flag-ignored",
        path=_LUA + "lib/batch/release.lua",
        old="if redis.call('HDEL', batch, 'wake') == 1 and lane ~= 'h' then",
        new="if false then",
        costs="a webhook that comes while the order is read is lost",
        test=_BATCHES + "test_a_batch_that_is_woken_during_work_is_due_when_it_is_released",
    ),
    Defect(
        name="dispatch-moves-nothing",
        path=_LUA + "verbs/dispatch/pump.lua",
        old="redis.call('ZADD', due, digits(now + dispatch_ms), batch)",
        new="redis.call('ZADD', due, digits(now), batch)",
        costs="every worker is given the same batch at once",
        test=_PUMP + "test_a_call_gives_no_more_than_there_are_slots_and_no_batch_twice",
    ),
    Defect(
        name="dispatch-drops-the-batch",
        path=_LUA + "verbs/dispatch/pump.lua",
        old="redis.call('ZADD', due, digits(now + dispatch_ms), batch)",
        new="redis.call('ZREM', due, batch)",
        costs="a worker that dies with a job takes its batch along for ever",
        test=_PUMP + "test_a_dispatch_that_nobody_claims_lapses_and_is_given_again",
    ),
    Defect(
        name="deaths-not-counted",
        path=_LUA + "verbs/dispatch/claim.lua",
        old="deaths = redis.call('HINCRBY', batch, 'deaths', 1)",
        new="deaths = 1",
        costs="one batch kills the fleet, worker by worker",
        test="tests/pipeline/store/attacks/test_poison.py::"
        "test_three_deaths_of_lone_workers_hold_the_batch_with_evidence",
    ),
    Defect(
        name="staging-visible-before-commit",
        path=_LUA + "verbs/intake/stage_batch.lua",
        old="redis.call('ZADD', due_key(serial, 'o'), 0, batch)",
        new="redis.call('ZADD', due_key(serial, 'o'), 0, batch)\n"
        "redis.call('ZADD', 'cc:active', 0, serial)",
        costs="links are ordered for a list that nobody agreed to yet",
        test=_PUMP + "test_a_staged_campaign_is_not_dispatched_before_its_commit",
    ),
)
