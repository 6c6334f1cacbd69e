"""The messages that are measured with: logins, each of another user, of a size that can be chosen."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator

USUAL_BYTES = 170
"""About the size of a login as it is; larger ones have a field more, which no stream names."""

_SEED = 7


def logins(count: int, size: int = USUAL_BYTES, first: int = 0) -> Iterator[str]:
    """Yield the bodies of logins; the same number is always the same login.

    Args:
        count: How many.
        size: The bytes of each. Below that of a login as it is, about 170, it changes nothing.
        first: The number of the first.
    """
    for number in range(first, first + count):
        login = _login(number)
        missing = size - len(json.dumps(login))
        if missing > len(_padded("")):
            login |= _padded("x" * (missing - len(', "padding": ""')))
        yield json.dumps(login)


def user_of(number: int) -> str:
    """Return who logs in with a message."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"user {number}"))


def _login(number: int) -> dict[str, str | None]:
    chance = random.Random(f"{_SEED} {number}")  # noqa: S311 - sample data
    return {
        "user_id": user_of(number),
        "app_version": f"{chance.randint(0, 5)}.{chance.randint(0, 9)}.{chance.randint(0, 9)}",
        "device_type": chance.choice(("android", "iOS")),
        "ip": ".".join(str(chance.randint(1, 254)) for _ in range(4)),
        "locale": chance.choice(("RU", "US", "DE", "BR", "IN", None)),
        "device_id": f"{chance.randint(100, 999)}-{chance.randint(10, 99)}-{chance.randint(1000, 9999)}",
    }


def _padded(text: str) -> dict[str, str | None]:
    return {"padding": text}
