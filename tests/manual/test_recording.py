"""The recorded terminal is of a run of today's command, and shows no place of the machine that ran it."""

from __future__ import annotations

import re

import pytest

from manual.pictures import PALETTES, Palette
from manual.recording import COMMAND, RECORDED, WIDTH, picture
from tests.test_readme import README

SHOWN = re.sub(r"\x1b\[[\d;]*m", "", RECORDED.read_text())


def test_it_is_of_the_command_that_the_readme_shows() -> None:
    assert f"```console\n{COMMAND}\n```" in README
    assert SHOWN.startswith(f"$ {COMMAND}\n")


def test_every_message_of_the_run_has_its_outcome() -> None:
    counts = {name: int(count) for name, count in re.findall(r"(\w+) +│ +(\d+) │$", SHOWN, re.MULTILINE)}

    assert counts["received"] == counts["written"] + counts["rejected"] == counts["deleted"] == 100


def test_it_fits_the_terminal_and_names_no_place_of_a_machine() -> None:
    assert max(map(len, SHOWN.splitlines())) <= WIDTH
    assert not re.search(r"(?<!~)/(?:home|root|tmp|work|Users)/", SHOWN)


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
def test_the_pictures_are_of_what_was_recorded(palette: Palette) -> None:
    assert palette.path("first-run").read_text() == picture(RECORDED.read_text(), palette)
