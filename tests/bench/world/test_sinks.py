"""The sink of our own speaks SMTP as its clients do, and writes down when each mail came."""

import asyncio
from pathlib import Path

import pytest
from aiosmtplib import SMTP

from bench.measures.ceiling import with_aiosmtplib, with_sockets
from bench.world.processes import BenchError
from bench.world.sinks import DISTANCE_MS, sink, smtp_sink


async def test_every_mail_is_counted_when_it_came(tmp_path: Path) -> None:
    async with sink(tmp_path, "own") as found:
        await with_aiosmtplib(found.port, 30, 3)
        await with_sockets(found.port, 40, 4)
    moments = [float(line) for line in found.moments.read_text("utf-8").splitlines()]
    assert len(moments) == 70
    assert moments == sorted(moments)


async def test_a_line_that_begins_with_a_dot_ends_nothing(tmp_path: Path) -> None:
    async with sink(tmp_path, "own") as found:
        client = SMTP(hostname="127.0.0.1", port=found.port, start_tls=False)
        async with client:
            await client.sendmail("a@example.com", ["b@example.com"], b"x\r\n.\r\n.y\r\n")
            await client.sendmail("a@example.com", ["b@example.com"], b"")
    assert len(found.moments.read_text("utf-8").splitlines()) == 2


async def test_an_empty_mail_and_commands_in_one_piece_are_understood(tmp_path: Path) -> None:
    async with sink(tmp_path, "own") as found:
        reader, writer = await asyncio.open_connection("127.0.0.1", found.port)
        writer.write(b"EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n.\r\nQUIT\r\n")
        replies = (await asyncio.wait_for(reader.read(), 120)).decode().splitlines()
        writer.close()
    codes = [line[:3] for line in replies if line[3] == " "]
    assert codes == ["220", "250", "250", "250", "354", "250", "221"]


async def test_each_answer_of_a_distant_sink_takes_its_time(tmp_path: Path) -> None:
    async with sink(tmp_path, "distant") as found:
        spent, _ = await with_aiosmtplib(found.port, 2, 1)
    assert spent >= 2 * 4 * DISTANCE_MS / 1000
    assert len(found.moments.read_text("utf-8").splitlines()) == 2


@pytest.mark.skipif(smtp_sink() is None, reason="smtp-sink is not installed")
async def test_the_clients_agree_with_postfixs_sink(tmp_path: Path) -> None:
    async with sink(tmp_path, "smtp-sink") as found:
        await with_aiosmtplib(found.port, 30, 3)
        await with_sockets(found.port, 40, 4)


async def test_a_sink_that_is_not_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.world.sinks.smtp_sink", lambda: None)
    with pytest.raises(BenchError, match="postfix"):
        async with sink(tmp_path, "smtp-sink"):
            pass
    async with sink(tmp_path, "auto") as found:
        assert found.name == "own"
