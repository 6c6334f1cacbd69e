"""The messages: of the size asked for, each of another user, and all of them become rows."""

from __future__ import annotations

import pytest

from benchmarks.messages import logins, user_of
from maskline.streams.decoding import MessageDecoder
from maskline.streams.definition import load_stream


def test_the_same_number_is_always_the_same_login_of_its_own_user() -> None:
    decoder = MessageDecoder(load_stream("user_logins"))

    users = [decoder.decode(body).values[0] for body in logins(50, first=7)]

    assert users == [user_of(number) for number in range(7, 57)]
    assert list(logins(3, first=9)) == list(logins(5, first=7))[2:]


@pytest.mark.parametrize("size", [1_000, 10_000])
def test_a_larger_message_has_the_bytes_asked_for(size: int) -> None:
    assert [len(body) for body in logins(3, size)] == [size] * 3
