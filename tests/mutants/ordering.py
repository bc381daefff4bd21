"""Defects in ordering links and in giving each person one."""

from tests.mutants.defect import Defect

_ORDER = "tests/pipeline/stages/test_order.py::"
_BATCHES = "tests/pipeline/store/test_batches.py::"
_LINKS = "tests/pipeline/rewards/test_links.py::"

ORDERING = (
    Defect(
        name="order-intent-after-the-post",
        path="pipeline/stages/order.py",
        old="""\
        posts = await self._batches.order_intent(
            claim,
            po_number=request.po_number,
            payload_hash=request.payload_hash(),
            nonce=nonce,
        )
        if posts is None:
            return Hold("order_changed")
        try:
            order = await self._rewards.create_order(request, lease.check)
""",
        new="""\
        posts = claim.batch.posts
        try:
            order = await self._rewards.create_order(request, lease.check)
            await self._batches.order_intent(
                claim,
                po_number=request.po_number,
                payload_hash=request.payload_hash(),
                nonce=nonce,
            )
""",
        costs="after a lost answer nobody knows that the order is ours",
        test=_ORDER + "test_a_lost_answer_never_makes_a_second_order",
    ),
    Defect(
        name="order-intent-skipped",
        path="pipeline/store/lua/verbs/order/order_intent.lua",
        old="redis.call('HSET', batch, 'po', ARGV[4], 'ph', ARGV[5], 'posts', posts + 1, "
        "'post', ARGV[6])\n",
        new="",
        costs="what was ordered under which number is known to nobody after a crash",
        test=_ORDER + "test_a_lost_answer_never_makes_a_second_order",
    ),
    Defect(
        name="po-number-recomputed",
        path="pipeline/stages/order_request.py",
        old="claim.batch.order.po_number or po_number(claim.campaign_id, claim.unit.batch),",
        new='f"{po_number(claim.campaign_id, claim.unit.batch)}-{claim.batch.order.posts}",',
        costs="every repetition after a lost answer is another order",
        test=_ORDER + "test_an_order_is_posted_again_under_the_same_number_after_an_outage",
    ),
    Defect(
        name="po-number-overwritten",
        path="pipeline/store/lua/verbs/order/order_intent.lua",
        old="if stored[1] and (stored[1] ~= ARGV[4] or stored[2] ~= ARGV[5]) then",
        new="if false then",
        costs="the trace of an order that was paid for is lost",
        test=_BATCHES + "test_an_order_intent_is_never_overwritten",
    ),
    Defect(
        name="one-po-number-for-two-batches",
        path="pipeline/stages/order_request.py",
        old='return f"CC-{campaign_id}-{batch:05d}"',
        new='return f"CC-{campaign_id}-{batch // 2:05d}"',
        costs="two batches share an order, and a hundred people get no link",
        test=_ORDER + "test_every_batch_has_an_order_of_its_own",
    ),
    Defect(
        name="lost-answer-taken-for-not-placed",
        path="pipeline/stages/order.py",
        old='return not error.sent or error.code == "http_429"',
        new="return True",
        costs="an order that was placed and paid for is taken for a foreign one",
        test=_ORDER + "test_a_lost_answer_never_makes_a_second_order",
    ),
    Defect(
        name="refusal-taken-for-placed",
        path="pipeline/stages/order.py",
        old='        return not error.sent or error.code == "http_429"\n    return True\n',
        new='        return not error.sent or error.code == "http_429"\n    return False\n',
        costs="somebody else's order is adopted after a refusal, and its links go out twice",
        test=_ORDER + "test_a_post_that_was_refused_makes_no_foreign_order_ours",
    ),
    Defect(
        name="foreign-order-adopted",
        path="pipeline/stages/order_decisions.py",
        old="str(order_id)) if posts_before > 0 or batch.order.adopt:",
        new="str(order_id)):",
        costs="after a lost state directory the same links are sent to everybody again",
        test=_ORDER + "test_an_order_that_a_lost_ledger_placed_is_foreign",
    ),
    Defect(
        name="adopted-without-comparing",
        path="pipeline/stages/order_decisions.py",
        old='return Placed(order_id) if difference is None else Hold("order_differs")',
        new="return Placed(order_id)",
        costs="an order of somebody else is counted and written down as ours",
        test=_ORDER + "test_an_order_of_something_else_is_not_even_adopted_on_request",
    ),
    Defect(
        name="nothing-compared",
        path="pipeline/rewards/models.py",
        old='    return "; ".join(filter(None, differences)) or None\n',
        new="    return None\n",
        costs="people get links of another product or value",
        test=_ORDER + "test_an_order_of_something_else_is_not_even_adopted_on_request",
    ),
    Defect(
        name="order-guard-not-asked",
        path="pipeline/rewards/client.py",
        old="answer = await self._authorised(ApiCall.CREATE_ORDER, post, order_guard)",
        new="answer = await self._authorised(ApiCall.CREATE_ORDER, post)",
        costs="a worker that lost its lease places the order all the same",
        test=_ORDER + "test_after_the_lease_is_lost_nothing_is_ordered",
    ),
    Defect(
        name="ordered-after-cancel",
        path="pipeline/stages/order.py",
        old="        if claim.cancelled:\n            await self._batches.cancel(",
        new="        if False:\n            await self._batches.cancel(",
        costs="a cancelled campaign goes on to spend money",
        test=_ORDER + "test_a_cancelled_campaign_orders_nothing_and_reports_an_open_post",
    ),
    Defect(
        name="max-total-ignored",
        path="pipeline/intake/file_checks.py",
        old="if reward.max_total is not None and cost > reward.max_total:",
        new="if False:",
        costs="more money is spent than the campaign file allows",
        test="tests/pipeline/intake/test_recipients.py::"
        "test_more_people_than_max_total_pays_for_is_reported_with_the_numbers",
    ),
    Defect(
        name="one-person-in-two-batches",
        path="pipeline/store/lua/verbs/intake/stage_batch.lua",
        old="return 'duplicate ' .. i",
        new="return 'ok'",
        costs="whoever stands twice in the list is paid twice",
        test="tests/pipeline/store/test_staging.py::"
        "test_an_id_that_stands_in_an_earlier_batch_is_found",
    ),
    Defect(
        name="short-order-released",
        path="pipeline/rewards/links.py",
        old="    if found != quantity:\n",
        new="    if found > quantity:\n",
        costs="the last people of a batch get nothing, or the link of another",
        test=_LINKS + "test_only_the_number_that_was_ordered_is_released",
    ),
    Defect(
        name="link-twice-in-an-order-released",
        path="pipeline/rewards/links.py",
        old="    if distinct < found:\n",
        new="    if False:\n",
        costs="two people get the same link, and one of them finds it spent",
        test="tests/pipeline/stages/test_await_fulfilment.py::"
        "test_a_link_twice_in_one_order_is_held_at_once",
    ),
    Defect(
        name="links-stored-in-another-order",
        path="pipeline/store/batches.py",
        old="for i, link in enumerate(links)]",
        new="for i, link in enumerate(links[::-1])]",
        costs="link k is no longer recipient k's, and nothing adds up with the API's answer",
        test=_BATCHES + "test_link_k_is_stored_as_recipient_ks_and_sealed",
    ),
    Defect(
        name="links-read-in-another-order",
        path="pipeline/store/formats/sealed_batch.py",
        old='plain.decode().split("\\n")',
        new='plain.decode().split("\\n")[::-1]',
        costs="a repeated message carries somebody else's link",
        test=_BATCHES + "test_link_k_is_stored_as_recipient_ks_and_sealed",
    ),
    Defect(
        name="link-of-the-neighbour",
        path="pipeline/stages/batch_work.py",
        old="link=self.contents.links[index],",
        new="link=self.contents.links[index - 1],",
        costs="everybody gets the link that was issued for somebody else",
        test="tests/pipeline/stages/test_distribute.py::"
        "test_everybody_is_sent_the_link_that_was_issued_for_their_position",
    ),
    Defect(
        name="links-not-remembered",
        path="pipeline/store/lua/verbs/order/links_received.lua",
        old="remember_links(ARGV[6], owner)\n",
        new="",
        costs="a link that the API hands out twice goes to two people",
        test=_BATCHES + "test_a_link_seen_in_any_earlier_batch_stores_nothing",
    ),
    Defect(
        name="links-of-a-dead-order-not-looked-up",
        path="pipeline/store/lua/verbs/order/reorder.lua",
        old="if seen_before(ARGV[11], owner) then",
        new="if false then",
        costs="a link that somebody got meanwhile is given to a second person",
        test="tests/pipeline/operations/test_replace_order.py::"
        "test_a_link_that_is_given_to_somebody_meanwhile_changes_nothing",
    ),
)
