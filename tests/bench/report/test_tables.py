"""Tables show everything that was measured, ratios first."""

import pytest

from bench.report.figures import Results
from bench.report.tables import as_markdown, as_text, number


@pytest.fixture
def results() -> Results:
    found = Results(machine={"CPU": "a fast one"}, notes=["no smtp-sink here"])
    found.add("Throughput", "fast", "sent", "people/s", 1234.5, 1500.0, 1100.0, note="at night")
    found.add("Ratios", "share", "to the ceiling", "", 0.712)
    found.add("Something new", "odd", "unheard of", "s", 12.34)
    return found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.7123, "0.71"),
        (12.34, "12.3"),
        (4512.4, "4,512"),
        (0, "0"),
        (3, "3"),
        (0.00042, "0.00042"),
    ],
)
def test_numbers_have_as_many_digits_as_they_are_worth(value: float, text: str) -> None:
    assert number(value) == text


def test_everything_is_in_both_tables_and_ratios_come_first(results: Results) -> None:
    for table in (as_text(results), as_markdown(results)):
        for words in ("1,234", "1,100", "1,500", "0.71", "at night", "no smtp-sink here"):
            assert words in table
        assert "a fast one" in table
        assert "unheard of" in table
        assert table.index("to the ceiling") < table.index("people/s")


def test_columns_stand_below_each_other(results: Results) -> None:
    lines = as_text(results).splitlines()
    head = next(line for line in lines if line.startswith("Throughput"))
    row = next(line for line in lines if line.startswith("sent"))
    assert head.index("median") + len("median") == row.index("1,234") + len("1,234")


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_head(results: Results) -> None:
    rows = [line for line in as_markdown(results).splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {6}
