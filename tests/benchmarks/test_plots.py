"""Figures: sound SVG, text as text, and the same file for the same curve."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from benchmarks.plots import PLOTS
from tests.benchmarks.test_results import RESULT

pytestmark = pytest.mark.heavy

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", ["backlog", "memory"])
def test_a_curve_is_drawn_as_svg(name: str, tmp_path: Path) -> None:
    curves = {"first": [(1_000.0, 5.0), (10_000.0, 4.0)], "second": [(1_000.0, 3.0), (10_000.0, 9.0)]}
    result = msgspec.structs.replace(RESULT, name=name, curves=curves)

    PLOTS[name].draw(result, tmp_path / "once.svg")
    PLOTS[name].draw(result, tmp_path / "again.svg")

    root = ElementTree.parse(tmp_path / "once.svg").getroot()
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert root.tag == f"{SVG}svg"
    assert {"Throughput", "first", "second"} <= texts
    assert not list(root.iter(f"{SVG}script"))
    assert (tmp_path / "once.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()


def test_axes_count_in_whole_numbers_with_separators_and_cut_off_no_point(tmp_path: Path) -> None:
    curves = {"memory": [(100_000.0, 1_480.0), (300_000.0, 1_640.0), (500_000.0, 1_639.0)]}

    result = msgspec.structs.replace(RESULT, curves=curves)
    PLOTS["memory"].draw(result, tmp_path / "memory.svg")

    root = ElementTree.parse(tmp_path / "memory.svg").getroot()
    assert {"0", "1,000", "100,000", "500,000"} <= {element.text for element in root.iter(f"{SVG}text")}
    (axes,) = PLOTS["memory"].figure(result).axes
    lowest, highest = axes.get_ylim()
    assert lowest == 0
    assert highest > 1_700
