"""No code can be stored that nobody could explain."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import channels
import pipeline
from channels import webhook
from channels.email.replies import classify_reply
from channels.sms.codes import CODES, meaning
from pipeline.domain.codes import REASONS, find_reason, in_words
from pipeline.domain.codes.reason import ANOTHER, TRIES, WAITS
from pipeline.domain.codes.sms import TWILIO
from pipeline.domain.codes.smtp import SMTP
from pipeline.domain.codes.table import listed
from pipeline.domain.codes.webhook import STATUSES
from pipeline.domain.errors import BlockedError, PermanentError, TransientError
from pipeline.domain.models import BatchState
from worker.cli import main

_SOURCES = [Path(package.__path__[0]) for package in (pipeline, channels)]
_FIRST = {"Hold", "BlockOrdering", "LinksProblem", "AbandonedError"} | {
    f"{kind}Error" for kind in ("Transient", "Uncertain", "Permanent", "Blocked", "Delivery")
}
# Which argument of a call such as `campaigns.block(serial, lane, "…", …)` is the code.
_METHODS = {"block": 2, "hold": 1, "cancel": 1, "trip": 1}
_COMMAND = re.compile(r"`claimcast ([a-z]+)")
# Of a call of the rewards API: logged, and waited out or told by another code.
_NEVER_STORED = {"token_wait", "order_id"}


def python_codes() -> Iterator[str]:
    for path in (path for source in _SOURCES for path in source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield from _called(node)
            yield from _assigned(node)


def _called(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    if isinstance(node.func, ast.Name):
        place = 0 if node.func.id in _FIRST else 1 if node.func.id == "DeliveryDecision" else None
    else:
        place = _METHODS.get(getattr(node.func, "attr", ""))
    if place is not None and len(node.args) > place:
        yield from _texts(node.args[place])


def _assigned(node: ast.AST) -> Iterator[str]:
    """Yield codes of `code = "…"`, also of a conditional expression, and of `_code` functions."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        if node.targets[0].id == "code":
            yield from _texts(node.value)
    elif isinstance(node, ast.FunctionDef) and node.name == "_code":
        for each in ast.walk(node):
            if isinstance(each, ast.Return) and each.value is not None:
                yield from _texts(each.value)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value


def lua_codes() -> Iterator[str]:
    states = {state.value for state in BatchState}
    for path in _SOURCES[0].rglob("*.lua"):
        for line in path.read_text("utf-8").splitlines():
            if "d.code" in line or "move_batch(" in line:
                yield from (
                    found for found in re.findall(r"'([a-z_]{2,})'", line) if found not in states
                )


def test_every_code_in_the_sources_has_a_meaning_and_a_remedy() -> None:
    python, lua = set(python_codes()) - _NEVER_STORED, set(lua_codes())
    # What the search must find, or it finds nothing at all.
    assert {"foreign_order", "insufficient_funds", "gave_up", "links_many", "smtp_lost"} <= python
    assert {"smtp_dns", "compose_error", "internal_error", "template_error"} <= python
    assert {"channel_not_configured", "order_unknown"} <= python
    assert {"worker_lost", "unconfirmed", "uncertain", "retry"} <= lua
    assert {code for code in python | lua | {"cancelled"} if find_reason(code) is None} == set()


def test_every_table_entry_is_a_code_that_fits_into_the_ledger() -> None:
    for code, reason in REASONS.items():
        longest = 20 if reason.kind == "delivery" else 30  # only deliveries stand in the ledger
        assert re.fullmatch(r"[a-z0-9_.]+", code)
        assert len(code) <= longest
        assert not reason.meaning.endswith(".")
        assert reason.by_itself.endswith(".")
        assert reason.action.endswith(".")


def test_no_remedy_names_a_command_that_does_not_exist() -> None:
    known = set(main.lazy_subcommands)
    texts = [f"{reason.by_itself} {reason.action}" for reason in REASONS.values()]
    assert {name for text in texts for name in _COMMAND.findall(text)} <= known


def test_the_remedy_names_the_campaign() -> None:
    reason = find_reason("foreign_order")
    assert reason is not None
    assert "`claimcast retry c-1 --held --adopt`" in reason.remedy("c-1")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (550, "5.1.1 no"),
        (550, "no"),
        (550, "5.2.1 closed"),
        (452, "4.2.2 full"),
        (552, "full"),
        (451, "4.7.1 later"),
        (451, "4.3.0 later"),
        (450, "later"),
        (535, "5.7.8 no"),
        (553, "5.1.8 sender"),
        (421, "bye"),
        (554, "5.7.1 policy"),
        (502, "what"),
    ],
)
def test_a_reply_is_explained_as_the_channel_judges_it(code: int, text: str) -> None:
    error = classify_reply("rcpt", code, text)
    reason = find_reason(error.code)
    assert reason is not None
    assert reason.code == error.code
    assert (reason.kind == "block") == (isinstance(error, BlockedError) and error.fatal)
    assert (reason.by_itself == TRIES) == isinstance(error, TransientError)
    assert (reason.by_itself == ANOTHER) == isinstance(error, PermanentError)


def test_every_number_of_twilio_is_explained() -> None:
    for number in CODES:
        error, reason = meaning(number), find_reason(f"twilio_{number}")
        assert reason is not None
        assert (reason.kind == "block") == (isinstance(error, BlockedError) and error.fatal)
        assert (reason.by_itself == TRIES) == isinstance(error, TransientError)
        assert (reason.by_itself == ANOTHER) == isinstance(error, PermanentError)


def test_every_code_that_can_be_stored_is_in_the_list_for_people() -> None:
    codes = [code for code, _ in listed()]
    assert len(set(codes)) == len(codes)
    assert set(REASONS) <= set(codes)
    assert len(codes) == len(REASONS) + len(SMTP) + len(TWILIO) + len(STATUSES)


def test_a_pattern_of_codes_is_listed_without_the_marks_of_regular_expressions() -> None:
    codes = {code for code, _ in listed()}
    assert {"twilio_30003, 30008", "webhook_408, 5xx", "smtp_5xx_5.2.1", "bounce_…"} <= codes
    assert not any(mark in code for code in codes for mark in ("\\", "|", "?", "*", "+", "{"))


def test_an_unknown_code_stands_for_itself() -> None:
    assert find_reason("no_such_code") is None
    assert in_words("no_such_code") == "no_such_code"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 408, 410, 422, 429, 500, 503])
def test_an_answer_of_the_app_is_explained_as_the_channel_judges_it(status: int) -> None:
    error = webhook.classify_response(status, {})
    assert error is not None
    reason = find_reason(error.code)
    assert reason is not None
    assert (reason.kind == "block") == (isinstance(error, BlockedError) and error.fatal)
    assert (reason.by_itself == WAITS) == isinstance(error, BlockedError)
    assert (reason.by_itself == TRIES) == isinstance(error, TransientError)
    assert (reason.by_itself == ANOTHER) == isinstance(error, PermanentError)
