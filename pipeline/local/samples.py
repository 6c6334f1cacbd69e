"""Sample logins, in the shape and with the oddities of real ones.

Message number *i* of a seed is always the same, whoever asks for it and in whatever portions. Among every hundred:

* number 12 is of the wrong type, ``{"foo": …, "bar": …}``;
* about three in ten have no locale, and about half have a version of two parts;
* IPs and devices repeat, as those of real people do; some addresses are multicast or reserved;
* two messages are sent a second time by their producer, under a message id of their own.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator

WRONG_TYPE_NUMBER = 12
LOCALES = ("RU", "US", "DE", "BR", "IN", "FR", "JP", "PL", "CN", "ID")
DEVICE_TYPES = ("android", "iOS")
HUNDRED = 100
REPEATED_NUMBERS = {41: 17, 83: 64}
"""Which messages of a hundred are a producer's second sending, and of which one."""


class Samples:
    """An endless sequence of sample messages.

    Args:
        seed: What the sequence depends on, and all it depends on.
    """

    def __init__(self, seed: int = 2023) -> None:
        self._seed = seed

    def bodies(self, first: int, count: int) -> Iterator[str]:
        """Yield the bodies of `count` messages from number `first` on, counted from 0."""
        return (self.body(number) for number in range(first, first + count))

    def body(self, number: int) -> str:
        """Return the body of one message."""
        place = number % HUNDRED
        if place == WRONG_TYPE_NUMBER:
            return json.dumps({"foo": "oops_wrong_msg_type", "bar": "123"})
        original = number - place + REPEATED_NUMBERS.get(place, place)
        return json.dumps(self._login(original))

    def _login(self, number: int) -> dict[str, str | None]:
        chance = random.Random(f"{self._seed} {number}")  # noqa: S311 - sample data
        person = random.Random(f"{self._seed} person {self._person(number, chance)}")  # noqa: S311
        return {
            "user_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "app_version": _version(chance),
            "device_type": person.choice(DEVICE_TYPES),
            "ip": ".".join(str(person.randint(1, 254)) for _ in range(4)),
            "locale": None if chance.random() < 0.29 else person.choice(LOCALES),
            "device_id": f"{person.randint(1, 899):03}-{person.randint(1, 99):02}-{person.randint(1, 9999):04}",
        }

    def _person(self, number: int, chance: random.Random) -> int:
        """Return who logs in: often one of a few regular people, else somebody not seen before."""
        return chance.randrange(8) if chance.random() < 0.3 else number + 8


def _version(chance: random.Random) -> str:
    parts = 2 if chance.random() < 0.54 else 3
    return ".".join(str(chance.randrange(10)) for _ in range(parts))
