"""Defects in sending: intents before the effect, facts after it, and suppressed addresses."""

from tests.mutants.defect import Defect

_LUA = "pipeline/store/lua/"
_DELIVERIES = "tests/pipeline/store/test_deliveries.py::"
_DISPATCHER = "tests/pipeline/sending/test_dispatcher.py::"
_BOUNDS = "tests/pipeline/sending/test_dispatcher_bounds.py::"
_WRITER = "tests/pipeline/sending/test_result_writer.py::"

SENDING = (
    Defect(
        name="intent-after-the-message",
        path="pipeline/stages/start.py",
        old="            attempts = await self._deliveries.intend(current.lease.claim, wanted)\n",
        new="""\
            for index, record in now:
                current.count_started(1)
                dispatcher.enqueue(work.outgoing(dispatcher, index, record, record.attempt + 1))
            await current.wait_until_done()
            await self._deliveries.intend(current.lease.claim, wanted)
            return
""",
        costs="what a killed worker had sent is sent again as if for the first time",
        test=_BOUNDS + "test_every_message_on_the_wire_has_its_intent_in_the_ledger",
    ),
    Defect(
        name="intent-skipped",
        path="pipeline/stages/start.py",
        old="attempts = await self._deliveries.intend(current.lease.claim, wanted)",
        new="attempts = [each.attempt + 1 for each in wanted]",
        costs="whatever a killed worker had sent is sent again, and nothing is recorded",
        test=_BOUNDS + "test_every_message_on_the_wire_has_its_intent_in_the_ledger",
    ),
    Defect(
        name="refused-intent-sent",
        path="pipeline/stages/start.py",
        old="        for (index, record), attempt in zip(now, attempts, strict=True):\n"
        "            if attempt:\n",
        new="        current.count_started(len(now) - granted)\n"
        "        for (index, record), attempt in zip(now, attempts, strict=True):\n"
        "            if attempt or True:\n",
        costs="what was settled, suppressed or resent meanwhile is sent all the same",
        test="tests/pipeline/stages/test_rules_of_sending.py::"
        "test_a_suppressed_address_is_not_written_to_and_the_next_channel_is_tried",
    ),
    Defect(
        name="send-guard-not-asked",
        path="channels/email/transaction.py",
        old="            self._send_guard()\n",
        new="            pass\n",
        costs="content leaves after the lease, the pause or the window ended",
        test="tests/channels/email/test_adapter.py::"
        "test_refused_send_guard_abandons_the_message_with_nothing_sent",
    ),
    Defect(
        name="lost-answer-taken-for-not-sent",
        path="channels/email/connection.py",
        old='            "content": UncertainError,\n',
        new='            "content": TransientError,\n',
        costs="a mail that arrived is repeated even where the campaign says hold",
        test="tests/channels/email/test_adapter.py::"
        "test_lost_line_is_uncertain_only_once_the_content_left",
    ),
    Defect(
        name="lost-sms-answer-taken-for-not-sent",
        path="channels/sms/transport.py",
        old="    if left:\n        return UncertainError(_code(error))\n",
        new="",
        costs="an SMS that left is paid for and sent once more",
        test="tests/channels/sms/test_adapter.py::test_silence_after_the_request_is_uncertain",
    ),
    Defect(
        name="sending-taken-for-pending",
        path=_LUA + "verbs/dispatch/claim.lua",
        old="d.status, d.after, d.code = 'u', math.max(0, now - c.t0 - d.at), 'worker_lost'",
        new="d.status, d.after, d.code = 'p', math.max(0, now - c.t0 - d.at), 'worker_lost'",
        costs="what a dead worker had sent is repeated even where the campaign says hold",
        test=_DELIVERIES + "test_deliveries_that_a_dead_worker_left_in_flight_become_uncertain",
    ),
    Defect(
        name="hold-ignored",
        path=_LUA + "lib/deliveries/auto_resends.lua",
        old="    and string.find(c.resend, d.channel, 1, true) ~= nil\n",
        new="",
        costs="an uncertain message is repeated where the campaign forbids it",
        test=_DELIVERIES + "test_the_uncertain_are_started_again_only_under_their_policy",
    ),
    Defect(
        name="uncertain-tries-the-next-channel",
        path=_LUA + "lib/deliveries/fall_back.lua",
        old="local FINAL = { f = true, b = true, x = true }",
        new="local FINAL = { f = true, b = true, x = true, u = true }",
        costs="one person gets the link by mail and by SMS, which costs money",
        test=_DELIVERIES + "test_an_uncertain_message_tries_no_other_channel",
    ),
    Defect(
        name="another-key-per-attempt",
        path="pipeline/stages/batch_work.py",
        old="recipient.id, channel.name, record.resend_number",
        new="recipient.id, channel.name, attempt",
        costs="a repeated mail has another Message-ID and is shown twice",
        test=_DISPATCHER + "test_an_uncertain_message_is_repeated_with_the_same_key_and_link",
    ),
    Defect(
        name="result-overwritten",
        path="pipeline/sending/result_writer.py",
        old="                groups[batch].append(fact)\n",
        new="                groups[batch] = [fact]\n",
        costs="messages that arrived stay in doubt and are sent again",
        test=_WRITER + "test_results_that_gather_are_written_together_before_a_callback_is_called",
    ),
    Defect(
        name="result-dropped-in-an-outage",
        path="pipeline/sending/result_writer.py",
        old="                await asyncio.sleep(_RETRY)\n",
        new="                return\n",
        costs="what was sent while Redis was away is sent again",
        test=_WRITER + "test_facts_are_kept_over_an_outage_and_written_once",
    ),
    Defect(
        name="result-told-before-it-is-written",
        path="pipeline/sending/result_writer.py",
        old="            await self._write(groups)\n"
        "            for _, _, recorded in taken:\n"
        "                recorded()\n",
        new="            for _, _, recorded in taken:\n"
        "                recorded()\n"
        "            await self._write(groups)\n",
        costs="a crash leaves more in doubt than was promised",
        test=_WRITER + "test_facts_are_kept_over_an_outage_and_written_once",
    ),
    Defect(
        name="unrecorded-without-bound",
        path="pipeline/sending/unrecorded_window.py",
        old="        if len(self._open) >= self._most and attempt not in self._open:\n",
        new="        if False:\n",
        costs="a killed worker repeats any number of messages",
        test=_BOUNDS + "test_the_bound_holds_for_messages_that_wait_for_a_place",
    ),
    Defect(
        name="senders-run-ahead-of-the-ledger",
        path="pipeline/sending/dispatcher.py",
        old="            while self._unrecorded >= self.channel.connections:\n",
        new="            while False:\n",
        costs="an SMS that never left is called uncertain while Redis is slow",
        test=_BOUNDS + "test_no_more_than_twice_the_connections_are_ever_unrecorded",
    ),
    Defect(
        name="late-good-news-ignored",
        path=_LUA + "verbs/deliveries/record.lua",
        old="  local good = kind == 's' or kind == 'd'\n",
        new="  local good = kind == 's' or kind == 'd'\n"
        "  if d.status == 'u' and d.code == 'worker_lost' then\n"
        "    return false\n"
        "  end\n",
        costs="what a frozen worker had sent is sent again",
        test=_DELIVERIES + "test_results_of_a_worker_that_lost_its_lease_are_recorded",
    ),
    Defect(
        name="old-callback-moves-back",
        path=_LUA + "verbs/deliveries/record.lua",
        old="    return good and RANK[d.status] < RANK[kind]\n",
        new="    return RANK[d.status] < RANK[kind]\n",
        costs="bad news about an earlier attempt undoes the one that arrived",
        test=_DELIVERIES + "test_of_an_earlier_attempt_only_good_news_counts",
    ),
    Defect(
        name="rank-ignored",
        path=_LUA + "verbs/deliveries/record.lua",
        old="  return RANK[d.status] < RANK[kind] and not (d.status == 'p' and kind == 'u')\n",
        new="  return true\n",
        costs="a receipt that comes late takes back what is known already",
        test="tests/worker/web/test_twilio.py::test_statuses_in_any_order_end_as_delivered",
    ),
    Defect(
        name="suppression-not-looked-at",
        path=_LUA + "verbs/deliveries/intend.lua",
        old="local why = list and redis.call('HGET', list, field)",
        new="local why = false",
        costs="people who unsubscribed are written to",
        test="tests/pipeline/stages/test_rules_of_sending.py::"
        "test_a_suppressed_address_is_not_written_to_and_the_next_channel_is_tried",
    ),
    Defect(
        name="cancel-ignored-by-intents",
        path=_LUA + "verbs/deliveries/intend.lua",
        old="if c.paused or c.cancelled or c.purged then",
        new="if c.paused or c.purged then",
        costs="links that a cancel made spare are sent after it",
        test=_DELIVERIES + "test_a_halted_campaign_grants_no_intent",
    ),
    Defect(
        name="pause-ignored-by-intents",
        path=_LUA + "verbs/deliveries/intend.lua",
        old="if c.paused or c.cancelled or c.purged then",
        new="if c.cancelled or c.purged then",
        costs="a wrong text goes on while people believe that it is stopped",
        test=_DELIVERIES + "test_a_halted_campaign_grants_no_intent",
    ),
    Defect(
        name="edit-ignored-by-intents",
        path=_LUA + "verbs/deliveries/intend.lua",
        old="if version ~= ARGV[4] then",
        new="if false then",
        costs="the old text goes out after it was mended",
        test="tests/pipeline/store/test_edit.py::test_a_claim_from_before_an_edit_starts_nothing_after_it",
    ),
    Defect(
        name="erased-person-sent",
        path=_LUA + "verbs/deliveries/intend.lua",
        old="if not listed[index] and not erased[index] then",
        new="if not listed[index] then",
        costs="a worker writes to a person whose data was removed",
        test="tests/pipeline/operations/test_erase_recipient.py::test_a_repeated_intent_is_not_granted_again",
    ),
    Defect(
        name="replaced-message-sent",
        path=_LUA + "verbs/deliveries/intend.lua",
        old="if d.channel == letter and d.resend_number == resend_number then",
        new="if d.channel == letter then",
        costs="the link goes to the address that was just corrected",
        test="tests/pipeline/operations/test_resend.py::test_a_worker_with_old_data_starts_nothing",
    ),
    Defect(
        name="retry-of-everybody",
        path=_LUA + "verbs/deliveries/retry_batch.lua",
        old="elseif person_counter(deliveries) == 'p:not_reached' or uncertain then",
        new="elseif true then",
        costs="whoever waits for the next channel is written to over both",
        test=_DELIVERIES + "test_a_retry_leaves_people_who_wait_for_their_next_channel",
    ),
    Defect(
        name="done-while-somebody-waits",
        path=_LUA + "verbs/deliveries/distributed.lua",
        old="if wait then\n",
        new="if wait == 0 then\n",
        costs="people who wait for a second try never get their link",
        test=_DELIVERIES + "test_a_batch_is_due_again_when_its_first_delivery_is",
    ),
    Defect(
        name="finished-while-orders-are-open",
        path=_LUA + "lib/campaign/finish_if_done.lua",
        old="    and (cancelled or nothing_open(campaign)) then\n",
        new="    or cancelled then\n",
        costs="links that come after a cancel are paid for and never seen again",
        test="tests/pipeline/store/test_cancel.py::"
        "test_one_ended_batch_does_not_end_a_cancelled_campaign",
    ),
)
