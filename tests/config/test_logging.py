"""A link, an address or a password, in every odd place, never comes out."""

import asyncio
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import pytest
import structlog
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from config.logging import LogFormat, configure_logging
from config.redaction import REDACTED, mask_secrets, redact

LINK = "https://claim.rewards.example/c/Zx9-secret_42?k=a'b&x=%20y#z"
ADDRESS = "ada.lovelace+x@mail.example.org"
KEY = "Zm9vYmFyYmF6cXV4" * 2 + "Zm9vYmFyYmE="
SECRETS = ("secret_42", "lovelace", "hunter2", "Zm9vYmFy", "5005550006")

log = structlog.get_logger()


@dataclass
class Person:
    email: str
    link: str
    surname: str = "lovelace"


class Colour(Enum):
    RED = LINK


class Rude:
    def __repr__(self) -> str:
        return LINK


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """The lines of JSON logs; afterwards logging is as it was."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    root.handlers.clear()
    stream = io.StringIO()
    configure_logging("json", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = before


def lines(logs: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logs.getvalue().splitlines()]


def fail(text: str) -> NoReturn:
    raise ValueError(text)


def log_chained_errors() -> None:
    try:
        try:
            fail(f"cannot send {LINK}")
        except ValueError as error:
            error.add_note(f"for {ADDRESS}")
            msg = f"Bearer hunter2hunter2 at {LINK}"
            raise RuntimeError(msg) from error
    except RuntimeError:
        log.exception("delivery.failed")


def log_group() -> None:
    try:
        raise ExceptionGroup(LINK, [ValueError(LINK), KeyError(ADDRESS)])  # noqa: TRY301 - short
    except ExceptionGroup as group:
        log.warning("many.failed", exc_info=group, errors=group.exceptions)


def log_as_a_library() -> None:
    library = logging.getLogger("arq.worker")
    try:
        fail(LINK)
    except ValueError:
        library.exception("%s failed: %s", LINK, {"to": ADDRESS})
    library.warning("job %s", [Rude(), LINK], extra={"link": LINK})


def log_with_context() -> None:
    with bound_contextvars(link=LINK, recipient=ADDRESS):
        log.info("bound")
        logging.getLogger("anything").error("bound too")


ODD_PLACES: list[Callable[[], object]] = [
    lambda: log.info(f"sent {LINK} to {ADDRESS}"),  # noqa: G004 - what one should not do
    lambda: log.info("sent %s to %s", LINK, ADDRESS),
    lambda: log.info("sent", link=LINK, where=LINK, who=ADDRESS, email="x", password="hunter2"),
    lambda: log.info("sent", link="claim.rewards.example/secret_42"),
    lambda: log.info("sent", **{LINK: 1, ADDRESS: 2}),
    lambda: log.info("sent", found={"a": [{"b": (LINK, {ADDRESS}), LINK: frozenset({LINK})}]}),
    lambda: log.info(
        "sent",
        found={"Access-Token": "hunter2", "X-Secret-Key": "hunter2", "AccessToken": "hunter2"},
    ),
    lambda: log.info("sent", found={"person_phone": 15005550006, "TOKEN": ["hunter2"]}),
    lambda: log.info("sent", body="Hello Mrs lovelace", html=b"lovelace", first_name="lovelace"),
    lambda: log.info("sent", raw=LINK.encode(), wide=LINK.encode("utf-16"), array=bytearray(b"x")),
    lambda: log.info("sent", person=Person(ADDRESS, LINK), colour=Colour.RED, rude=Rude()),
    lambda: log.info("sent", error=ValueError(LINK), path=Path(ADDRESS)),
    lambda: log.info("sent", json=json.dumps({"url": LINK, "to": ADDRESS})),
    lambda: log.info("sent", json=json.dumps(json.dumps(LINK)).replace("/", "\\/")),
    lambda: log.info("sent", query="next=" + quote(LINK, safe="")),
    lambda: log.info("sent", query="next=" + quote(quote(LINK, safe=""), safe="")),
    lambda: log.info("sent", shouted=LINK.replace("https", "HTTPS"), wrapped=f"<{LINK}>({LINK})"),
    lambda: log.info("sent", markup=f'<a href="{LINK}">{LINK}</a>', lines=f"x\n{LINK}\n{ADDRESS}"),
    lambda: log.info("sent", at="redis://us:hunter2@redis:6379", on="redis://:hunter2:a,b@redis"),
    lambda: log.info("sent", header="Authorization: Bearer hunter2hunter2=="),
    lambda: log.info("sent", header="Authorization: Basic hunter2hunter2"),
    lambda: log.info("sent", words="password='hunter2 x', auth_token: hunter2, token=hunter2"),
    lambda: log.info("sent", words={"x": "{'AccessToken': 'hunter2 hunter2'}"}),
    lambda: log.info("sent", key=KEY, words=f"CLAIMCAST_SECRET_KEYS={KEY},{KEY}"),
    lambda: log.info("sent", dialogue=f"RCPT TO:<{ADDRESS}> +15005550006"),
    lambda: log.info("sent", who='"ada lovelace"@example.org', other="lovelace@münchen.de"),
    lambda: log.info("sent", sealed=Fernet(KEY).encrypt(b"x")),
    lambda: log.info("sent", sealed="gAAAAABhunter2" + "x" * 60),
    lambda: log.info("sent", deep=[[[[[[[[[[[[LINK]]]]]]]]]]]]),
    lambda: log.info("sent", huge="x" * 200_000 + LINK),
    lambda: log.bind(link=LINK, found=LINK).warning("sent", stack_info=True),
    log_chained_errors,
    log_group,
    log_as_a_library,
    log_with_context,
]


@pytest.mark.parametrize("place", range(len(ODD_PLACES)))
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_comes_out_of_an_odd_place(
    logs: io.StringIO, place: int, log_format: LogFormat
) -> None:
    configure_logging(log_format, logs)
    ODD_PLACES[place]()

    text = logs.getvalue()
    assert text
    assert not [secret for secret in SECRETS if secret in text], text


printable = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters='"<>\\'), max_size=30
)


@given(before=st.text(), after=st.text(), path=printable)
def test_no_link_survives_any_surroundings(before: str, after: str, path: str) -> None:
    link = f"https://claim.example/{path}#secret_42"
    for text in (link, quote(link, safe=""), json.dumps(link), repr(link)):
        assert "secret_42" not in mask_secrets(f"{before}{text} {after}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_whatever_is_logged_stays_loggable(event: dict[str, Any]) -> None:
    json.dumps(redact(None, "info", event))


def test_text_without_secrets_is_unchanged(logs: io.StringIO) -> None:
    when = datetime(2026, 11, 22, 17, tzinfo=UTC)
    with bound_contextvars(campaign="survey-2026-11"):
        log.info(
            "batch.settled",
            batch=17,
            links=100,
            email=99,
            link_ref="9f86d081884c7d65",
            po_number="cc-survey-2026-11-17",
            took=0.25,
            value=Decimal("10.00"),
            due=when,
            held=False,
            reason=None,
            code="smtp_550_5.1.1",
            text="450 4.7.1 try again in 300 s at 2026-11-22T17:00:00+00:00",
        )

    (line,) = lines(logs)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line.pop("timestamp"))
    assert line == {
        "event": "batch.settled",
        "level": "info",
        "campaign": "survey-2026-11",
        "batch": 17,
        "links": 100,
        "email": 99,
        "link_ref": "9f86d081884c7d65",
        "po_number": "cc-survey-2026-11-17",
        "took": 0.25,
        "value": "10.00",
        "due": "2026-11-22 17:00:00+00:00",
        "held": False,
        "reason": None,
        "code": "smtp_550_5.1.1",
        "text": "450 4.7.1 try again in 300 s at 2026-11-22T17:00:00+00:00",
    }


def test_a_traceback_is_text_with_its_secrets_masked(logs: io.StringIO) -> None:
    log_chained_errors()

    (line,) = lines(logs)
    assert line["event"] == "delivery.failed"
    assert line["level"] == "error"
    assert f"ValueError: cannot send {REDACTED}" in line["exception"]
    assert "RuntimeError: Bearer" in line["exception"]
    assert "in log_chained_errors" in line["exception"]


def test_the_libraries_lines_come_in_the_same_form_from_warning_up(logs: io.StringIO) -> None:
    arq = logging.getLogger("arq.worker")
    arq.info("%s(%s)", "job", ADDRESS)
    arq.warning("job %s expired", "batch-17")
    logging.getLogger("httpx").info("HTTP Request: POST %s", LINK)
    logging.getLogger("uvicorn.access").info("GET %s", LINK)

    (line,) = lines(logs)
    assert line["event"] == "job batch-17 expired"
    assert line["logger"] == "arq.worker"
    assert line["level"] == "warning"


@pytest.mark.parametrize(("library", "part"), [("httpx", ""), ("httpcore", ".http11")])
def test_http_libraries_log_nothing_below_info(logs: io.StringIO, library: str, part: str) -> None:
    """There they quote headers, and what they could not parse, which may be a body."""
    logging.getLogger(library).setLevel(logging.DEBUG)
    configure_logging("json", logs)
    logging.getLogger().setLevel(logging.DEBUG)

    logging.getLogger(library + part).debug("the answer was %s", LINK)

    assert logs.getvalue() == ""


def test_handlers_that_libraries_bring_are_taken_off(logs: io.StringIO) -> None:
    theirs = io.StringIO()
    arq = logging.getLogger("arq")
    arq.addHandler(logging.StreamHandler(theirs))
    arq.setLevel(logging.DEBUG)

    configure_logging("json", logs)
    configure_logging("json", logs)
    logging.getLogger("arq.worker").warning("once")
    logging.getLogger("arq.worker").info("never")

    assert theirs.getvalue() == ""
    assert [line["event"] for line in lines(logs)] == ["once"]


def test_a_line_that_cannot_be_formatted_is_reported_without_its_arguments(
    logs: io.StringIO, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if handler.name == "claimcast"]
    monkeypatch.setattr(root, "handlers", ours)  # pytest's own would raise

    logging.getLogger("odd").warning("%d", LINK)

    assert logs.getvalue() == "a log line of odd could not be written\n"
    assert capsys.readouterr().err == ""


def test_a_closed_stream_does_not_disturb_the_work(logs: io.StringIO) -> None:
    configure_logging("json", closed := io.StringIO())
    closed.close()

    log.info("goes nowhere")
    logging.getLogger("arq").error("neither")


def test_off_a_terminal_the_format_is_json_and_debug_is_quiet(logs: io.StringIO) -> None:
    configure_logging(None, logs)
    log.debug("hidden")
    log.info("shown")

    assert [line["event"] for line in lines(logs)] == ["shown"]


async def test_a_failed_task_that_nobody_awaited_is_masked(logs: io.StringIO) -> None:
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": f"lost {LINK}", "exception": ValueError(ADDRESS)})

    (line,) = lines(logs)
    assert line["logger"] == "asyncio"
    assert not [secret for secret in SECRETS if secret in logs.getvalue()]
