"""A job is told to stop, and says why it failed, over one object of its process."""

from __future__ import annotations

import pytest

from maskline.errors import DatabaseError, KeysetError, MasklineError
from maskline.transforms.control import CONTROL, JobControl


def test_a_new_job_is_neither_stopping_nor_failed() -> None:
    control = JobControl()

    assert not control.stopping.is_set()
    assert control.failure is None


def test_an_error_of_ours_is_kept_for_the_starter_and_still_fails_the_bundle() -> None:
    control = JobControl()
    error = DatabaseError("table user_logins is not there")

    with pytest.raises(DatabaseError) as raised, control.reporting_failures():
        raise error

    assert raised.value is error
    assert control.failure is error


def test_the_first_of_several_failures_is_kept() -> None:
    control = JobControl()
    failures: list[MasklineError] = [KeysetError("first"), DatabaseError("second")]

    for failure in failures:
        with pytest.raises(MasklineError), control.reporting_failures():
            raise failure

    assert control.failure is failures[0]


def test_an_error_that_is_not_ours_passes_and_is_not_kept() -> None:
    control = JobControl()

    with pytest.raises(ZeroDivisionError), control.reporting_failures():
        raise ZeroDivisionError

    assert control.failure is None


def test_what_works_is_no_failure() -> None:
    control = JobControl()

    with control.reporting_failures():
        done = True

    assert done
    assert control.failure is None


def test_the_next_job_of_the_process_starts_afresh() -> None:
    CONTROL.stopping.set()
    CONTROL.failure = KeysetError("of the last job")

    CONTROL.reset()

    assert not CONTROL.stopping.is_set()
    assert CONTROL.failure is None
