"""The report shows the ledger's record of everybody, and reveals only what was asked for."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.batch import Lane
from pipeline.domain.errors import ClaimcastError
from pipeline.domain.models import ChannelName, FactKind
from pipeline.store.codec import STATUS
from pipeline.store.formats.records import DeliveryRecord
from pipeline.views.delivery_times import next_at, sent_at, settled_at
from pipeline.views.report import COLUMNS, Disclosure, Report, ReportRow, link_ref, write_report
from tests.pipeline.installation import Installation
from tests.pipeline.intake.builders import both_channels
from tests.support.redis import Redis

HEADER = "recipient_id,channel,status,code,attempts,sent_at,settled_at,po_number,order_id,link_ref"


@pytest.fixture
async def ledger(redis: Redis) -> Installation:
    return await Installation.opened(redis)


async def rows(
    ledger: Installation, serial: str, reveal: Disclosure | None = None
) -> list[ReportRow]:
    snapshot = await ledger.snapshot(serial)
    report = Report(ledger.pages, ledger.vault, reveal)
    return [row async for row in report.rows(serial, snapshot.batch_count)]


async def written(
    found: list[ReportRow], file_format: Literal["csv", "json"], reveal: Disclosure | None = None
) -> str:
    async def source() -> AsyncIterator[ReportRow]:
        for row in found:
            yield row

    out = io.StringIO()
    assert await write_report(source(), out, file_format, reveal or Disclosure()) == len(found)
    return out.getvalue()


async def test_everybody_has_a_row_in_the_order_of_the_list(ledger: Installation) -> None:
    serial = await ledger.submitted(people=120, size=2)  # 60 batches are more than one page
    found = await rows(ledger, serial)
    assert [row["recipient_id"] for row in found] == [f"r{i}" for i in range(120)]
    assert {(row["status"], row["attempts"], row["link_ref"]) for row in found} == {
        ("pending", 0, None)
    }


async def test_a_sent_delivery_has_times_order_and_reference(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    found = (await rows(ledger, serial))[2]
    (link, _) = await ledger.batches.links(serial, 2)
    assert (found["recipient_id"], found["channel"], found["status"]) == ("r2", "email", "sent")
    assert (found["code"], found["attempts"]) == (None, 1)
    assert found["po_number"] == "CC-survey-2026-11-00002"
    assert found["order_id"] == f"order-{serial}-2"
    assert found["link_ref"] == link_ref(ledger.vault, link)
    assert str(found["sent_at"]) <= str(found["settled_at"])
    assert str(found["sent_at"]).endswith("Z")


async def test_a_fallback_is_a_row_of_its_own(ledger: Installation) -> None:
    serial = await ledger.submitted(people=1, campaign=both_channels())
    await ledger.fulfilled(serial)
    await ledger.settled(serial, FactKind.FAILED, "smtp_550_5.1.1")
    found = [(row["channel"], row["status"], row["code"]) for row in await rows(ledger, serial)]
    assert found == [("email", "failed", "smtp_550_5.1.1"), ("sms", "pending", None)]


async def test_nothing_secret_is_in_a_default_report(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    text = await written(await rows(ledger, serial), "json")
    assert "links.example" not in text
    assert "@" not in text


async def test_links_and_addresses_are_further_columns(ledger: Installation) -> None:
    serial = await ledger.submitted(campaign=both_channels(mode="all"))
    await ledger.fulfilled(serial)
    reveal = Disclosure(links=True, addresses=True)
    found = await rows(ledger, serial, reveal)
    text = await written(found, "csv", reveal)
    assert text.splitlines()[0] == HEADER + ",link,address"
    first, second = list(csv.DictReader(io.StringIO(text)))[:2]
    assert (first["address"], second["address"]) == ("p0@example.com", "+4930123456000")
    assert first["link"] == second["link"] == (await ledger.batches.links(serial, 1))[0]


async def test_a_damaged_batch_is_reported_in_a_sentence(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.redis.delete(f"cc:{serial}:b:2")
    with pytest.raises(ClaimcastError, match="Batch 2 is gone or damaged; `claimcast verify`"):
        await rows(ledger, serial)


async def test_csv_has_exactly_the_columns_of_the_contract() -> None:
    assert ",".join(COLUMNS) == HEADER
    assert await written([], "csv") == HEADER + "\n"


async def test_json_is_one_array(ledger: Installation) -> None:
    serial = await ledger.submitted()
    found = await rows(ledger, serial)
    assert json.loads(await written(found, "json")) == found
    assert json.loads(await written([], "json")) == []


@given(st.text(max_size=8))
async def test_no_cell_is_a_formula_and_json_is_exact(text: str) -> None:
    row: ReportRow = {**dict.fromkeys(COLUMNS), "recipient_id": text}
    (_, cells) = csv.reader(io.StringIO(await written([row], "csv"), newline=""))
    line = text.replace("\r", " ")
    assert cells[0] in {line, f"'{line}"}
    assert not cells[0].startswith(("=", "@", "\t", "\r"))
    if cells[0].startswith(("+", "-")):
        assert cells[0][1:].isdigit()
    assert json.loads(await written([row], "json"))[0]["recipient_id"] == text


@given(st.sampled_from(list(STATUS.values())), st.integers(0, 3))
def test_times_are_shown_only_where_they_mean_something(status: object, attempt: int) -> None:
    record = DeliveryRecord(
        channel=ChannelName.EMAIL,
        status=status,  # type: ignore[arg-type]
        attempt=attempt,
        started_ms=10,
        after_ms=5,
    )
    told = {"sent": sent_at, "settled": settled_at, "next": next_at}
    found = {name: moment(record, 1000) for name, moment in told.items()}
    if not attempt:
        assert set(found.values()) == {0}
    else:
        assert found["sent"] in {0, 1010}
        assert not (found["settled"] and found["next"])
        assert {found["settled"], found["next"]} <= {0, 1015}


async def test_a_delivery_that_waits_is_neither_sent_nor_settled(ledger: Installation) -> None:
    serial = await ledger.submitted(people=1)
    await ledger.fulfilled(serial)
    await ledger.settled(serial, FactKind.DEFERRED, "smtp_451")
    (row,) = await rows(ledger, serial)
    assert (row["status"], row["sent_at"], row["settled_at"]) == ("pending", None, None)
    assert not await ledger.claims(Lane.SEND)  # its time has not come
