"""Defects in what guards the rest: limits, breakers, proofs, secrets, the audit trail, verify."""

from tests.mutants.defect import Defect

_LIMITS = "tests/pipeline/store/test_rate_limiter.py::"
_TOKENS = "tests/pipeline/callbacks/test_signed_tokens.py::"

GUARDING = (
    Defect(
        name="one-permit-too-many",
        path="pipeline/store/lua/verbs/limits/permit.lua",
        old="/ interval + 0.000001)",
        new="/ interval + 1.000001)",
        costs="the provider sees more than was agreed, and refuses",
        test=_LIMITS + "test_low_rates_give_one_permit_however_many_are_wanted",
    ),
    Defect(
        name="cooldown-ignored",
        path="pipeline/store/lua/verbs/limits/permit.lua",
        old="  if cooldown_until > now then\n",
        new="  if false then\n",
        costs="a provider that asked for silence is asked on, and locks the account",
        test=_LIMITS + "test_a_cooldown_stops_every_worker_and_ends",
    ),
    Defect(
        name="provider-failure-costs-a-try",
        path="pipeline/sending/delivery_decisions.py",
        old="return DeliveryDecision(FactKind.RELEASED, code, policy.delay(attempt, jitter))",
        new="return DeliveryDecision(FactKind.DEFERRED, code, policy.delay(attempt, jitter))",
        costs="an outage of the mail server fails people who did nothing wrong",
        test="tests/pipeline/sending/test_dispatcher.py::"
        "test_the_breaker_stops_the_channel_and_costs_nobody_a_try",
    ),
    Defect(
        name="any-token-accepted",
        path="pipeline/callbacks/signed_tokens.py",
        old="if not hmac.compare_digest(mac, self._mac(purpose, fields)):",
        new="if not mac:",
        costs="anybody settles, bounces or unsubscribes anybody's message",
        test=_TOKENS + "test_another_installation_cannot_make_ours",
    ),
    Defect(
        name="token-without-a-key",
        path="pipeline/domain/vault.py",
        old="digest_size=size, key=self._digest_key, person=purpose.encode()[:16]",
        new="digest_size=size, person=purpose.encode()[:16]",
        costs="whoever reads this code can make tokens, and look up addresses in digests",
        test=_TOKENS + "test_another_installation_cannot_make_ours",
    ),
    Defect(
        name="token-good-for-every-purpose",
        path="pipeline/callbacks/signed_tokens.py",
        old="self._vault.digest(signed_token_digest(purpose), fields, _MAC_SIZE)",
        new='self._vault.digest("token", fields, _MAC_SIZE)',
        costs="the link to unsubscribe is a key to report that a message bounced",
        test=_TOKENS + "test_a_token_is_worth_nothing_for_another_purpose",
    ),
    Defect(
        name="signature-not-checked",
        path="worker/web/twilio.py",
        old="return form if self._validator.validate(url, form, signature) else None",
        new="return form",
        costs="anybody who sees a callback's address can forge receipts and opt-outs",
        test="tests/worker/web/test_twilio.py::test_what_twilio_did_not_sign_is_refused",
    ),
    Defect(
        name="links-logged",
        path="config/redaction.py",
        old="(re.compile(rf'https?{_COLON}{_SLASH}{_SLASH}",
        new="(re.compile(rf'http{_COLON}{_SLASH}{_SLASH}",
        costs="whoever reads the logs can spend the links",
        test="tests/config/test_logging.py::test_no_link_survives_any_surroundings",
    ),
    Defect(
        name="logs-not-redacted",
        path="config/logging.py",
        old="    structlog.processors.format_exc_info,\n    redact,\n",
        new="    structlog.processors.format_exc_info,\n",
        costs="a link in any log event or traceback can be spent by whoever reads it",
        test="tests/config/test_logging.py::test_no_secret_comes_out_of_an_odd_place",
    ),
    Defect(
        name="job-keeps-addresses",
        path="worker/executor/serializer.py",
        old='job = {**job, "a": [], "k": {}}',
        new="job = {**job}",
        costs="names and addresses rest in Redis in clear",
        test="tests/worker/executor/test_serializer.py::test_a_result_keeps_no_argument_of_its_job",
    ),
    Defect(
        name="links-not-sealed",
        path="pipeline/store/formats/sealed_batch.py",
        old='    return vault.seal("\\n".join(links).encode(), links_purpose(serial, batch))\n',
        new='    return "\\n".join(links).encode()\n',
        costs="whoever reads Redis, or a backup of it, can spend every link",
        test="tests/pipeline/store/test_batches.py::"
        "test_link_k_is_stored_as_recipient_ks_and_sealed",
    ),
    Defect(
        name="blob-opens-anywhere",
        path="pipeline/domain/vault.py",
        old="        if found != purpose.encode():\n",
        new="        if False:\n",
        costs="links moved to another batch are sent to its people",
        test="tests/pipeline/domain/test_vault.py::"
        "test_a_blob_moved_to_another_batch_does_not_open_there",
    ),
    Defect(
        name="audit-chain-not-linked",
        path="pipeline/store/audit_trail.py",
        old="data = json.dumps([number, before, body], sort_keys=True, ensure_ascii=False)",
        new="data = json.dumps([number, body], sort_keys=True, ensure_ascii=False)",
        costs="an entry can be exchanged for one of an earlier state unseen",
        test="tests/pipeline/store/test_audit_trail.py::test_an_entry_of_another_past_is_named",
    ),
    Defect(
        name="audit-end-cut-off",
        path="pipeline/store/audit_trail.py",
        old="        if written > number:\n",
        new="        if False:\n",
        costs="the last thing that somebody did can be taken out of the trail",
        test="tests/pipeline/store/test_audit_trail.py::test_entries_taken_from_the_end_are_missed",
    ),
    Defect(
        name="order-not-audited",
        path="pipeline/stages/order.py",
        old="            await self._record(AuditAction.ORDER, claim, request.po_number)\n",
        new="            pass\n",
        costs="money is spent without a trace",
        test="tests/pipeline/stages/test_order.py::"
        "test_the_audit_trail_records_an_order_once_however_often_it_is_posted",
    ),
    Defect(
        name="unsafe-server-accepted",
        path="worker/wiring/redis.py",
        old="    if found and not accept_unsafe:\n",
        new="    if False:\n",
        costs="a power cut loses which messages were sent, and they are sent again",
        test="tests/worker/wiring/test_redis.py::"
        "test_a_server_that_can_lose_what_it_acknowledged_is_refused",
    ),
    Defect(
        name="dropped-key-not-missed",
        path="pipeline/store/fleet/keyring.py",
        old="        if not lenient:\n            await self.require_all_keys()\n",
        new="",
        costs="a worker without the key of some blobs holds or fails their people",
        test="tests/pipeline/store/fleet/test_keyring.py::"
        "test_a_key_that_was_dropped_too_early_is_missed_at_the_start",
    ),
    Defect(
        name="newer-data-not-refused",
        path="pipeline/domain/stored_format.py",
        old="        if found > self.written:\n",
        new="        if False:\n",
        costs="after an update a forgotten older program misreads who was sent which link",
        test="tests/pipeline/store/test_stored_format.py::"
        "test_newer_data_is_refused_in_one_sentence_and_nothing_is_changed",
    ),
    Defect(
        name="newer-data-marked-older",
        path="pipeline/store/lua/verbs/keyring/enroll.lua",
        old="if stored and tonumber(stored) > tonumber(ARGV[4]) then\n",
        new="if false then\n",
        costs="an older program that runs on takes the mark off newer data, and others misread it",
        test="tests/pipeline/store/test_stored_format.py::"
        "test_a_process_that_enrolls_after_the_format_was_raised_is_refused",
    ),
)
