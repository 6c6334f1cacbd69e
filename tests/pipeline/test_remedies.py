"""An error of the core is told with the command that puts it right."""

from __future__ import annotations

import pickle

import pytest

from maskline.errors import DatabaseError, Remedy
from maskline.pipeline import remedies
from maskline.pipeline.remedies import with_remedy


@pytest.mark.parametrize(
    ("remedy", "told"),
    [
        (None, "it is broken"),
        (Remedy.MIGRATE, "it is broken; run: maskline migrate --postgres DSN"),
        (Remedy.CREATE_TABLE, "it is broken; run: maskline streams apply FILE --postgres DSN"),
        (Remedy.CREATE_MIGRATED_TABLE, "it is broken; run: maskline migrate --stream STREAM --postgres DSN"),
        (Remedy.CREATE_KEYSET, "it is broken; run: maskline keys create --keyset URI"),
        (Remedy.WRAP_KEYSET, "it is broken; run: maskline keys wrap --keyset URI --target URI"),
        (Remedy.TAKE_ROLE, "it is broken; run and check take the role maskline_writer, unmask and leakage"),
    ],
)
def test_a_remedy_is_told_as_a_command(remedy: Remedy | None, told: str) -> None:
    line = with_remedy(DatabaseError("it is broken", remedy=remedy))

    assert line.startswith(told)
    assert line == told or remedy is Remedy.TAKE_ROLE


def test_a_question_is_not_followed_by_a_semicolon() -> None:
    line = with_remedy(DatabaseError("is it there?", remedy=Remedy.MIGRATE))

    assert line == "is it there? run: maskline migrate --postgres DSN"


def test_every_remedy_has_its_words() -> None:
    assert set(Remedy) == {*remedies.COMMANDS, *remedies.SENTENCES}


def test_a_remedy_comes_with_an_error_of_another_process() -> None:
    error = pickle.loads(pickle.dumps(DatabaseError("it is broken", remedy=Remedy.MIGRATE)))

    assert (str(error), error.remedy) == ("it is broken", Remedy.MIGRATE)
