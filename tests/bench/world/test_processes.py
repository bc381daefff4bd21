"""What processes cost, and that none is left."""

import asyncio
from pathlib import Path

import pytest

from bench.world.processes import PYTHON, BenchError, BenchProcess, run, until


async def test_a_program_is_charged_with_what_it_used(tmp_path: Path) -> None:
    code = "x = bytes(80_000_000); print(len(x)); sum(range(3_000_000))"
    ended = await run("costly", [PYTHON, "-c", code], tmp_path, {})
    assert ended.output == "80000000\n"
    assert ended.peak > 40_000_000
    assert ended.cpu > 0
    assert ended.seconds > 0


async def test_a_program_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"bad failed: (.|\n)*no such thing"):
        await run("bad", [PYTHON, "-c", "raise SystemExit('no such thing')"], tmp_path, {})


async def test_a_running_program_is_measured_and_ended(tmp_path: Path) -> None:
    code = "print('on', flush=True)\nwhile True: pass"
    process = BenchProcess("busy", [PYTHON, "-c", code], tmp_path, {})

    async def works() -> bool:
        return process.cpu > 0.05

    try:
        await until(works, "CPU", seconds=120)
        assert process.peak > 1_000_000
        process.check()
    finally:
        await asyncio.to_thread(process.stop)
    assert process.ended
    with pytest.raises(BenchError, match="busy"):
        process.check()


async def test_waiting_in_vain_names_what_was_waited_for() -> None:
    async def never() -> bool:
        await asyncio.sleep(0)
        return False

    with pytest.raises(BenchError, match="in vain: the moon"):
        await until(never, "the moon", seconds=0.05)
