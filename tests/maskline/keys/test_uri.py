"""A keyset's URI as a value: parsed once, without a secret, and ready to be opened."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import maskline
from maskline.errors import ArgumentError, KeysetError
from maskline.keys import KeysetUri, StoredKeyset, open_keyset

KMS_KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_it_knows_what_opens_its_keyset() -> None:
    encrypted = KeysetUri.parse(f"aws-kms://{KMS_KEY}?keyset=file:/keyset.json")
    in_clear = KeysetUri.parse("file:/keyset.json")

    assert (str(encrypted), encrypted.kms_key) == (f"aws-kms://{KMS_KEY}?keyset=file:/keyset.json", KMS_KEY)
    assert (str(in_clear), in_clear.kms_key) == ("file:/keyset.json", None)


def test_it_is_parsed_once_and_travels_in_a_job_graph() -> None:
    uri = KeysetUri.parse("env:KEYSET")

    assert KeysetUri.parse(uri) is uri
    assert pickle.loads(pickle.dumps(uri)) == uri


@pytest.mark.parametrize("given", ['{"primaryKeyId": 7}', "keyset.json", "ftp://keyset", None, 7])
def test_what_names_no_provider_is_refused_and_not_repeated(given: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^keyset") as refused:
        KeysetUri.parse(given)

    assert "primaryKeyId" not in str(refused.value)


def test_a_keyset_is_loaded_by_its_uri(stored_keyset: StoredKeyset, keyset_uri: str) -> None:
    keyset = maskline.load_keyset(keyset_uri)

    assert keyset.primary_key_id == open_keyset(stored_keyset).primary_key_id


def test_a_keyset_that_is_not_there_is_named() -> None:
    with pytest.raises(KeysetError, match="MASKLINE_TEST_NOT_SET is not set"):
        maskline.load_keyset("env:MASKLINE_TEST_NOT_SET")
