"""What a newcomer finds under `maskline`, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import maskline
from maskline import errors
from tests.e2e.job_process import PROJECT

HEAVY = {"apache_beam", "boto3", "psycopg", "tink", "msgspec"}


def test_a_value_is_masked_and_unmasked_with_what_the_package_itself_names(keyset_uri: str) -> None:
    masker = maskline.Masker(maskline.load_keyset(keyset_uri))

    token = masker.mask("203.0.113.7", domain="user_logins.masked_ip")

    assert "203.0.113.7" not in token
    assert masker.unmask(token, domain="user_logins.masked_ip") == "203.0.113.7"
    assert maskline.load_stream("user_logins").table == "user_logins"


def test_every_error_is_exported() -> None:
    defined = {name for name, each in vars(errors).items() if isinstance(each, type)}

    assert defined & set(maskline.__all__) == {name for name in defined if issubclass(getattr(errors, name), Exception)}
    assert all(getattr(maskline, name) is getattr(errors, name) for name in defined & set(maskline.__all__))


def test_all_that_is_named_is_there_and_nothing_else() -> None:
    assert all(hasattr(maskline, name) for name in maskline.__all__)
    assert set(maskline.__all__) <= set(dir(maskline))
    with pytest.raises(AttributeError, match="module 'maskline' has no attribute 'Maskerade'"):
        _ = maskline.Maskerade


def imported_by(code: str) -> set[str]:
    """Return which of the heavy packages a new process has imported after some code."""
    program = f"{code}\nimport sys; print(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    return HEAVY & set(result.stdout.split())


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert imported_by("import maskline; maskline.MasklineError") == set()


def test_masking_needs_no_beam_and_no_database() -> None:
    assert not {"apache_beam", "psycopg"} & imported_by("import maskline; maskline.Masker, maskline.load_keyset")
