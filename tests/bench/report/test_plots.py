"""Plots are well-formed, and everything is on the paper."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.plots import line_chart

SVG = "{http://www.w3.org/2000/svg}"
values = st.floats(0.001, 1e7)


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - made by ourselves


@given(st.lists(st.tuples(values, values), min_size=1, max_size=30), st.booleans())
def test_every_point_is_on_the_paper(points: list[tuple[float, float]], log_x: bool) -> None:  # noqa: FBT001 - given by Hypothesis
    drawn = parsed(line_chart("T", "x", "y", {"one": sorted(points)}, log_x=log_x))
    [line] = drawn.iter(f"{SVG}polyline")
    pairs = [pair.split(",") for pair in line.attrib["points"].split()]
    assert len(pairs) == len(points)
    assert all(70 <= float(x) <= 700 and 40 <= float(y) <= 310 for x, y in pairs)


def test_texts_are_escaped_and_every_line_is_named() -> None:
    lines = {"a < b": [(0.0, 1.0), (1.0, 2.0)], "c & d": [(0.0, 3.0)]}
    drawn = parsed(line_chart("<T>", "x", "y", lines))
    texts = {text.text for text in drawn.iter(f"{SVG}text")}
    assert {"<T>", "a < b", "c & d", "x", "y"} <= texts
    colours = {line.attrib["stroke"] for line in drawn.iter(f"{SVG}polyline")}
    assert len(colours) == 2


def test_higher_values_are_higher_up() -> None:
    drawn = parsed(line_chart("T", "x", "y", {"one": [(0.0, 1.0), (1.0, 5.0)]}))
    [line] = drawn.iter(f"{SVG}polyline")
    (_, low), (_, high) = [pair.split(",") for pair in line.attrib["points"].split()]
    assert float(high) < float(low)


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="no points"):
        line_chart("T", "x", "y", {"one": []})
