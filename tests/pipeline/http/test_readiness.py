"""A part is ready while its last answer is fresh; one that fails, or hangs, is not."""

from __future__ import annotations

import threading

from maskline.errors import DatabaseUnavailableError
from maskline.pipeline.http.readiness import Part, Readiness
from tests.awaiting import await_until


class Database:
    """A part that answers until it is told not to."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    def ask(self) -> None:
        if self.failure is not None:
            raise self.failure


def test_nothing_is_ready_before_it_has_answered() -> None:
    readiness = Readiness({"database": Part(lambda: None)})

    assert not readiness.is_ready()
    assert readiness.status()["database"].problem == "database: no answer yet"


def test_a_part_that_fails_is_not_ready_until_it_answers_again() -> None:
    database = Database()
    readiness = Readiness({"database": Part(database.ask), "queue": Part(lambda: None)}, clock=lambda: 0.0)
    readiness.ask("queue")

    ready = []
    for failure in (None, DatabaseUnavailableError("postgres: gone"), ZeroDivisionError(), None):
        database.failure = failure
        readiness.ask("database")
        ready.append((readiness.is_ready(), readiness.status()["database"].problem))

    assert ready == [(True, None), (False, "postgres: gone"), (False, "database: ZeroDivisionError"), (True, None)]


def test_an_answer_counts_for_half_a_minute_beyond_the_next_question() -> None:
    now = 0.0
    readiness = Readiness({"keyset": Part(lambda: None, seconds=60)}, clock=lambda: now)
    readiness.ask("keyset")

    now = 90.0
    at_90 = readiness.is_ready()
    now = 90.1

    assert at_90
    assert not readiness.is_ready()
    assert readiness.status()["keyset"].problem == "keyset: no answer for 90 s"


def test_a_part_that_hangs_keeps_nobody_waiting() -> None:
    released = threading.Event()

    def hang() -> None:
        released.wait(60)

    parts = {"database": Part(hang), "queue": Part(lambda: None)}
    with Readiness(parts) as readiness:
        await_until(lambda: readiness.status()["queue"].is_ready, "the other part has answered")

        status = readiness.status()
        released.set()

    assert not status["database"].is_ready
