"""Reports: what is generated stands in its place, and nothing else changes."""

from __future__ import annotations

import pytest

from benchmarks.reports import filled, places
from maskline.errors import UsageError

DOCUMENT = "# Title\n<!-- begin: one -->\nold\n<!-- end: one -->\nprose\n<!-- begin: two -->\n<!-- end: two -->\n"


def test_each_place_gets_its_own_and_the_rest_stays() -> None:
    assert places(DOCUMENT) == ["one", "two"]
    assert filled(DOCUMENT, lambda name: f"new {name}\n") == (
        "# Title\n<!-- begin: one -->\nnew one\n<!-- end: one -->\nprose\n"
        "<!-- begin: two -->\nnew two\n<!-- end: two -->\n"
    )


def test_a_place_without_an_end_is_named() -> None:
    with pytest.raises(UsageError, match="end: one"):
        filled("<!-- begin: one -->\nold\n", lambda _name: "")
