"""docs/options.md is what the parsers say."""

from __future__ import annotations

import pytest

from manual.options_page import PAGE, page


def test_the_page_is_made_from_the_options_of_today() -> None:
    assert PAGE.read_text() == page(), "python -m manual options"


def test_a_variable_that_is_set_changes_no_default_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLINE_MICRO_BATCH_SIZE", "77")

    assert "(77)" not in page()
