"""A value is looked for under every key that may have masked it, in every form that its token may have."""

from __future__ import annotations

import pytest

from maskline.errors import KeysetError, UsageError
from maskline.keys import open_keyset
from maskline.streams.columns import Column
from maskline.streams.definition import parse_stream
from maskline.streams.search import SearchTokens
from tests.maskline.keysets import (
    HASH_KEY,
    KEY,
    OTHER_KEY,
    aes_siv_key,
    opened_hash,
    reference_hash,
    reference_token,
    siv,
    stored,
)

DOMAIN = "user_logins.masked_ip"
IN_DOMAIN = f'domain = "{DOMAIN}"'
VALUE = "199.172.111.135"
RAW_KEY = bytes(range(190, 254))


def column(mask: str = "deterministic", kind: str = "text", domain: str = "", more: str = "") -> Column:
    """Return a column with a mask, in a domain that these lines of a definition describe."""
    definition = f"""
        name = "people"
        table = "people"
        {f'[domains."{DOMAIN}"]' if domain else ""}
        {domain}
        [columns.masked_ip]
        field = "ip"
        type = "{kind}"
        mask = "{mask}"
        {more}
    """
    (found,) = parse_stream(definition, "test").columns
    return found


def test_each_enabled_key_has_its_token_that_of_the_primary_first() -> None:
    keyset = stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), aes_siv_key(9, RAW_KEY, status="DISABLED"), primary=8)

    tokens = SearchTokens(column(more=IN_DOMAIN), open_keyset(keyset)).of(VALUE)

    assert tokens == [
        reference_token(OTHER_KEY, 8, VALUE, DOMAIN),
        reference_token(KEY, 7, VALUE, DOMAIN),
    ]


def test_an_imported_key_has_every_text_that_unmask_reads() -> None:
    keyset = stored(aes_siv_key(7), aes_siv_key(8, RAW_KEY, prefix="RAW"), primary=7)

    tokens = SearchTokens(column(more=IN_DOMAIN), open_keyset(keyset)).of(VALUE)

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
        open_keyset(stored(primary=7))


@pytest.mark.parametrize("kind", ["text", "text[]"])
def test_a_value_is_looked_for_in_its_normal_form_and_padded_as_the_column_is(kind: str) -> None:
    like_a_row = column(kind=kind, domain='normalize = "email"\nmissing = ["n/a"]', more=f"{IN_DOMAIN}\npad = 16")
    tokens = SearchTokens(like_a_row, open_keyset(stored(aes_siv_key(7), primary=7)))

    assert len(tokens.of("Ann@Example.COM ")) == 1
    assert tokens.of("Ann@Example.COM ") == tokens.of("Ann@example.com")
    assert tokens.of("Ann@Example.COM ") != [reference_token(KEY, 7, "Ann@example.com", DOMAIN)]
    assert tokens.of("n/a") == []


def test_a_value_that_the_column_rejects_has_no_token() -> None:
    strict = column(domain='normalize = "email"\ninvalid = "reject"', more=IN_DOMAIN)

    assert SearchTokens(strict, open_keyset(stored(aes_siv_key(7), primary=7))).of("no address") == []


@pytest.mark.parametrize("mask", ["random", "redact", "truncate:keep/last4"])
def test_a_column_whose_values_have_no_one_token_is_refused(mask: str) -> None:
    with pytest.raises(UsageError, match=f"^column masked_ip: is {mask}; only a value of a column that is masked"):
        SearchTokens(column(mask), open_keyset(stored(aes_siv_key(7), primary=7)))


def test_a_hash_is_looked_for_once_whatever_keys_mask() -> None:
    keys = open_keyset(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=8))

    assert SearchTokens(column("hash", more=IN_DOMAIN), keys, opened_hash()).of("ann") == [
        reference_hash(HASH_KEY, "ann", "user_logins.masked_ip")
    ]
