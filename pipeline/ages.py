"""Ages as options take them: ``90d``, ``36h``, ``4w``."""

from __future__ import annotations

import re
from datetime import timedelta

from maskline.errors import UsageError

_AGE = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta:
    """Read the option ``--older_than``.

    Args:
        text: A number with its unit.

    Raises:
        UsageError: The text is not an age.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise UsageError(f"older_than is {text!r}; give a number with its unit: 90d, 36h or 4w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
