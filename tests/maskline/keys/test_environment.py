"""A keyset is read from a variable, and nothing pretends that a variable can be changed from here."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from maskline.errors import KeysetError, UsageError
from maskline.keys import StoredKeyset, open_keyset
from maskline.keys.environment import EnvironmentKeyset


def test_a_keyset_is_read_from_a_variable() -> None:
    provider = EnvironmentKeyset("MASKLINE_KEYSET", {"MASKLINE_KEYSET": "{the keyset}"})

    assert provider.fetch() == StoredKeyset(b"{the keyset}", "env:MASKLINE_KEYSET")


@pytest.mark.parametrize("environment", [{}, {"MASKLINE_KEYSET": ""}], ids=["not there", "empty"])
def test_a_variable_that_is_not_set_is_named(environment: dict[str, str]) -> None:
    provider = EnvironmentKeyset("MASKLINE_KEYSET", environment)

    with pytest.raises(KeysetError) as refusal:
        provider.fetch()

    assert str(refusal.value) == "keyset env:MASKLINE_KEYSET: the environment variable MASKLINE_KEYSET is not set"


def test_bytes_in_a_variable_that_are_not_text_are_refused_as_no_keyset() -> None:
    provider = EnvironmentKeyset("MASKLINE_KEYSET", {"MASKLINE_KEYSET": os.fsdecode(b"{\xff}")})

    with pytest.raises(KeysetError, match="is not a Tink keyset in JSON"):
        open_keyset(provider.fetch())


@pytest.mark.parametrize(
    "change",
    [lambda variable: variable.create(b"{new}"), lambda variable: variable.replace(b"{the keyset}", b"{new}")],
    ids=["create", "replace"],
)
def test_a_variable_is_never_changed_and_the_refusal_says_what_to_do(
    change: Callable[[EnvironmentKeyset], object],
) -> None:
    environment = {"MASKLINE_KEYSET": "{the keyset}"}

    with pytest.raises(UsageError) as refusal:
        change(EnvironmentKeyset("MASKLINE_KEYSET", environment))

    assert str(refusal.value) == (
        "keyset env:MASKLINE_KEYSET: a variable cannot be changed from here; make and change the keyset in a file "
        "(file:PATH), and set the variable from the file"
    )
    assert environment == {"MASKLINE_KEYSET": "{the keyset}"}
