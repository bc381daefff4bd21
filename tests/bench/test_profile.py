"""Which part of the program a sample is counted for."""

from bench.profile import part_of

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
