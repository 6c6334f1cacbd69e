"""A value is looked for under every key that may have masked it, in every form that its token may have."""

from __future__ import annotations

import pytest

from maskline.errors import KeysetError
from maskline.keys.each_key import EachKey
from maskline.masks.search import SearchTokens
from tests.maskline.keysets import KEY, OTHER_KEY, aes_siv_key, reference_token, siv, stored

DOMAIN = "user_logins.masked_ip"
VALUE = "199.172.111.135"
RAW_KEY = bytes(range(190, 254))


def test_each_enabled_key_has_its_token_that_of_the_primary_first() -> None:
    keyset = stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), aes_siv_key(9, RAW_KEY, status="DISABLED"), primary=8)

    tokens = SearchTokens(EachKey(keyset)).of(VALUE, DOMAIN)

    assert tokens == [
        reference_token(OTHER_KEY, 8, VALUE, DOMAIN),
        reference_token(KEY, 7, VALUE, DOMAIN),
    ]


def test_an_imported_key_has_every_text_that_unmask_reads() -> None:
    keyset = stored(aes_siv_key(7), aes_siv_key(8, RAW_KEY, prefix="RAW"), primary=7)

    tokens = SearchTokens(EachKey(keyset)).of(VALUE, DOMAIN)

    assert siv(RAW_KEY, VALUE.encode(), DOMAIN.encode()).hex() == (
        "af8ab755d2539a131e33fe2d2cda9fe6469e82bdfb3f8cec9af15f61e779da"
    )
    assert tokens[1:] == [
        "r4q3VdJTmhMeM/4tLNqf5kaegr37P4zsmvFfYed52g==",
        "r4q3VdJTmhMeM_4tLNqf5kaegr37P4zsmvFfYed52g==",
        "r4q3VdJTmhMeM/4tLNqf5kaegr37P4zsmvFfYed52g",
        "r4q3VdJTmhMeM_4tLNqf5kaegr37P4zsmvFfYed52g",
        "af8ab755d2539a131e33fe2d2cda9fe6469e82bdfb3f8cec9af15f61e779da",
        "AF8AB755D2539A131E33FE2D2CDA9FE6469E82BDFB3F8CEC9AF15F61E779DA",
    ]


def test_what_is_no_keyset_is_told_as_everywhere() -> None:
    with pytest.raises(KeysetError, match="keyset test:known"):
        EachKey(stored(primary=7))
