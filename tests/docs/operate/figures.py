"""The figures of docs/operate/scaling.md, from the last published run of the bench."""

from collections.abc import Iterator, Sequence

from bench.report.figures import Results
from bench.report.publish import RESULTS
from bench.report.tables import number

_SHOWN: Sequence[tuple[str, str]] = (
    ("intake_email", "`submit`, rows with an e-mail address"),
    ("intake_phones", "`submit`, rows with an e-mail address and a phone number"),
    ("million_submit", "`submit` of a million people"),
    ("million_submit_peak", "memory of that `submit`, at most"),
    ("orders", "orders of 100 links placed, read and stored, without limits"),
    ("claimcast_1", "e-mail, one worker beside the mail server"),
    ("claimcast_2", "e-mail, two workers on the same two cores"),
    ("distant", "e-mail, one worker, 20 connections to a server 25 ms away"),
    ("sms", "SMS, one worker"),
    ("million_seconds", "a million people by e-mail, one worker, from submitted to finished"),
    ("million_peak", "memory of that worker, at most"),
    ("million_memory_peak", "memory of Redis, a million people, at its fullest"),
    ("memory", "memory of Redis, a campaign of the size that is compared"),
    ("million_pause", "`pause` with a million on the way, until the last result is recorded"),
    ("million_small", "ten people submitted beside a million, until they are finished"),
    ("equal", "two equal campaigns: sent by the slower when the faster is done"),
    ("limit_second", "a limit of 200/s, seen at the mail server: the most in any second or more"),
    ("million_report", "`report` of a million people"),
)


def figures() -> str:
    """Return the medians as a table; LookupError if the run did not measure one of them."""
    results = Results.from_json(RESULTS.read_text("utf-8"))
    rows = ["| what | figure | unit |", "|---|---:|---|", *_rows(results)]
    return "\n".join(rows)


def _rows(results: Results) -> Iterator[str]:
    for key, words in _SHOWN:
        found = results.figure(key)
        if found is None:
            msg = f"the last published run has no figure {key}"
            raise LookupError(msg)
        yield f"| {words} | {number(found.median)} | {found.unit} |"
