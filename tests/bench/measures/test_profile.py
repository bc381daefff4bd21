"""Which part of the program a sample is counted for."""

import pytest

from bench.measures.profile import PARTS, part_of
from tests.support.root import ROOT

LOOP = [
    "<module> (worker/__main__.py:9)",
    "run (worker/cli/console/entry.py:40)",
    "run (asyncio/runners.py)",
]


def test_the_innermost_frame_of_ours_decides() -> None:
    sending = [
        *LOOP,
        "_attempt (pipeline/sending/dispatcher.py:1)",
        "compose (channels/email/mime.py:2)",
    ]
    assert part_of(sending) == "MIME"
    assert part_of([*sending, "render (pipeline/domain/templates.py:3)"]) == "templates"
    assert part_of([*LOOP, "write (channels/email/wire.py:4)"]) == "SMTP"


def test_a_library_counts_for_whom_it_works() -> None:
    call = [*LOOP, "order (pipeline/stages/order.py:1)", "hset (redis/asyncio/client.py:2)"]
    assert part_of(call) == "ledger: intents, results, leases"
    assert part_of([*LOOP, "run_job (arq/worker.py:1)", "dumps (json/encoder.py:2)"]) == (
        "arq, executor"
    )


def test_the_loop_itself_is_the_rest() -> None:
    assert part_of(LOOP) == "event loop, tasks, and the rest"


OURS = sorted(
    str(path.relative_to(ROOT))
    for top in ("pipeline", "channels", "worker")
    for path in (ROOT / top).rglob("*.py")
)


@pytest.mark.parametrize("name", [name for _, names in PARTS for name in names])
def test_every_name_is_that_of_a_file_or_of_a_library(name: str) -> None:
    assert name.endswith("/") or any(name in path for path in OURS)


def test_what_is_opened_is_no_work_of_the_ledger() -> None:
    decode = [*LOOP, "decode_batch (pipeline/store/formats/recipient_codec.py:9)"]
    assert part_of(decode) == "decrypting people and links"
