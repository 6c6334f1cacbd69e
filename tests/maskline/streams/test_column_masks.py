"""Each mask through a whole message: what is stored of it, what comes back, and what a definition cannot ask for."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from maskline.errors import ArgumentError, StreamDefinitionError, UsageError
from maskline.masks.deterministic import Masker
from maskline.records import MaskedRow, Reason, Rejection
from maskline.streams.column_mask import column_remask, column_unmask, element_unmask
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.json_text import decode_json
from maskline.streams.masking import MessageMasker
from maskline.streams.stream_set import StreamSet
from maskline.streams.trial import StreamTrial
from tests.maskline.keysets import HASH_KEY, KEY, opened, opened_hash, reference_hash, reference_token
from tests.maskline.logins import message

MASKER = Masker(opened(7))


def stream(*column: str) -> StreamDefinition:
    return parse_stream("\n".join(('name = "s"', 'table = "s"', "[columns.v]", *column)), "s.toml")


def stored_of(definition: StreamDefinition, value: object) -> object:
    """Return what is stored of a value."""
    row = MessageMasker(definition, opened(7), hash_keyset=opened_hash()).mask(message(json.dumps({"v": value})))
    assert isinstance(row, MaskedRow), row
    return row.values[0]


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        (['type = "char(22)"', 'mask = "hash"'], "ann", reference_hash(HASH_KEY, "ann", "s.v")),
        (['type = "text"', 'mask = "hash"', 'domain = "d"'], "x" * 9999, reference_hash(HASH_KEY, "x" * 9999, "d")),
        (
            ['type = "varchar(22)[]"', 'mask = "hash"', "nullable = true"],
            ["a", None],
            [reference_hash(HASH_KEY, "a", "s.v"), None],
        ),
        (['type = "text"', 'mask = "redact"'], "ann", "[redacted]"),
        (['type = "text"', 'mask = "truncate:ip/24,48"'], "203.0.113.7", "203.0.113.0/24"),
        (['type = "inet"', 'mask = "truncate:ip/24,48"'], "2001:db8::1", "2001:db8::/48"),
        (['type = "date"', 'mask = "truncate:date/month"'], "2026-01-31", date(2026, 1, 1)),
        (['type = "text"', 'mask = "truncate:date/month"'], "2026-01-31", "2026-01"),
        (['type = "varchar(4)"', 'mask = "truncate:date/year"'], "2026-01-01T00:30:00+01:00", "2025"),
        (
            ['type = "timestamptz"', 'format = "epoch_s"', 'mask = "truncate:date/year"'],
            1769860800,
            datetime(2026, 1, 1, tzinfo=UTC),
        ),
        (['type = "integer"', 'mask = "truncate:number/10"'], 47, 40),
        (['type = "integer[]"', 'mask = "truncate:number/10"'], [47, 7], [40, 0]),
        (['type = "varchar(4)"', 'mask = "truncate:keep/last4"'], "4111111111111111", "1111"),
        (['type = "text"', 'mask = "deterministic"', "nullable = true"], None, None),
        (['type = "text"', 'mask = "redact"', "nullable = true"], None, None),
        (
            ['type = "varchar(400)[]"', 'mask = "deterministic"'],
            ["a", "b"],
            [reference_token(KEY, 7, "a", "s.v"), reference_token(KEY, 7, "b", "s.v")],
        ),
    ],
)
def test_a_mask_stores_this_of_a_value(column: list[str], value: object, stored: object) -> None:
    assert stored_of(stream(*column), value) == stored


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (['type = "varchar(400)"', 'mask = "deterministic"'], "ann"),
        (['type = "varchar(400)"', 'mask = "deterministic"', "pad = 16"], "ann"),
        (['type = "varchar(400)"', 'mask = "random"'], "ann"),
        (['type = "varchar(400)"', 'mask = "random"', "pad = 32"], ""),
        (['type = "text[]"', 'mask = "random"', "nullable = true"], ["a", None, "a"]),
        (['type = "text[]"', 'mask = "deterministic"'], []),
        (['type = "jsonb"', 'mask = "leaves"', 'clear = ["a.c"]'], {"a": {"b": 1.5, "c": "x"}, "d": [True, None, "é"]}),
        (['type = "jsonb"', 'mask = "leaves"', "pad = 8"], ["a", 12]),
    ],
)
def test_a_reversible_mask_comes_back_and_can_be_remasked(column: list[str], value: object) -> None:
    definition = stream(*column)
    stored = stored_of(definition, value)
    remask, unmask = (make(definition.columns[0], MASKER) for make in (column_remask, column_unmask))

    is_document = definition.columns[0].type.name == "jsonb"
    found, remasked = unmask(stored), unmask(remask(stored))

    assert (json.loads(found) if is_document else found) == value
    assert remasked == found


def test_the_same_value_has_as_many_random_tokens_as_it_comes() -> None:
    definition = stream('type = "text[]"', 'mask = "random"')

    stored = stored_of(definition, ["a"] * 5)

    assert isinstance(stored, list)
    assert len(set(stored)) == 5
    assert [element_unmask(definition.columns[0], MASKER)(token) for token in stored] == ["a"] * 5


def test_nothing_but_what_is_clear_is_left_of_a_document() -> None:
    definition = stream(
        'type = "jsonb"', 'mask = "leaves"', 'clear = ["items[*].sku", "currency"]', 'domain = "orders"'
    )

    stored = stored_of(
        definition, {"items": [{"sku": "a", "who": "Ann"}], "currency": "EUR", "total": 12.50, "b": False}
    )

    assert isinstance(stored, str)
    assert decode_json(stored) == {
        "items": [{"sku": "a", "who": reference_token(KEY, 7, "Ann", "orders")}],
        "currency": "EUR",
        "total": reference_token(KEY, 7, "12.5", "orders#json"),
        "b": reference_token(KEY, 7, "false", "orders#json"),
    }


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ('type = "text"\nmask = "hash"', "column v: is hashed, and nobody turns a hash back"),
        ('type = "text"\nmask = "redact"', "column v: is redacted, so its values were never stored"),
        ('type = "text"\nmask = "truncate:keep/last4"', "column v: keeps a part of its values in clear"),
    ],
)
def test_what_never_comes_back_says_so(column: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        column_unmask(stream(column).columns[0], MASKER)


def test_without_the_keyset_of_hashes_nothing_is_masked() -> None:
    with pytest.raises(
        ArgumentError, match="hash_keyset: missing; column v is hashed, which takes a keyset of its own"
    ):
        MessageMasker(stream('type = "text"', 'mask = "hash"'), opened(7))


@pytest.mark.parametrize(
    ("column", "value", "detail"),
    [
        (
            ['type = "text"', 'mask = "truncate:ip/24,48"'],
            "Ann",
            "field v is not an IP address, so its network is not known",
        ),
        (
            ['type = "text"', 'mask = "truncate:date/month"'],
            "31.1.2026",
            "field v is not a time like 2026-01-31T12:00:00Z (RFC 3339)",
        ),
    ],
)
def test_what_cannot_be_truncated_is_rejected_and_not_stored(column: list[str], value: str, detail: str) -> None:
    rejection = MessageMasker(stream(*column), opened(7)).mask(message(json.dumps({"v": value})))

    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.detail) == (Reason.WRONG_TYPE, detail)


@pytest.mark.parametrize("body", ['{"v": {"a": "\\ud800"}}', '{"v": {"a": "x\\u0000"}}', '{"v": {"\\ud800": 1}}'])
def test_a_document_that_postgres_could_not_hold_is_rejected_before_it_is_masked(body: str) -> None:
    rejection = MessageMasker(stream('type = "jsonb"', 'mask = "leaves"'), opened(7)).mask(message(body))

    assert isinstance(rejection, Rejection)
    assert rejection.reason is Reason.INVALID_TEXT
    assert rejection.detail.startswith("field v ")


def test_a_token_that_would_not_fit_is_rejected_with_its_salt_and_padding_counted_in() -> None:
    definition = stream(
        'type = "varchar(92)"', 'mask = "random"', "pad = 16"
    )  # 69 bytes: 21, 48 of value, salt, padding

    assert len(str(stored_of(definition, "x" * 31))) == 92
    rejection = MessageMasker(definition, opened(7)).mask(message(json.dumps({"v": "x" * 32})))
    assert isinstance(rejection, Rejection)
    assert rejection.detail == "field v is longer than 31 bytes, so its token would not fit v"


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (
            ['type = "varchar(21)"', 'mask = "hash"'],
            "what its mask stores of a value takes 22 characters, so widen its type",
        ),
        (
            ['type = "varchar(9)"', 'mask = "redact"'],
            "what its mask stores of a value takes 10 characters, so widen its type",
        ),
        (
            ['type = "varchar(42)"', 'mask = "truncate:ip/24,48"'],
            "what its mask stores of a value takes 43 characters, so widen its type",
        ),
        (['type = "varchar(50)"', 'mask = "random"'], "a token takes 51 characters (at least 51), so widen its type"),
        (
            ['type = "varchar(49)"', "pii = true", "pad = 16"],
            "a token takes 50 characters (at least 50), so widen its type",
        ),
        (['type = "text"', 'mask = "leaves"'], 'mask "leaves" masks what is in a document; its type is jsonb'),
        (['type = "jsonb"', 'mask = "random"'], 'a document is masked by its leaves; write mask = "leaves"'),
        (
            ['type = "bigint"', 'mask = "hash"'],
            "a masked column holds tokens, so its type is varchar(n) or text, or an array of one of them",
        ),
        (
            ['type = "char(40)"', 'mask = "hash"'],
            "char(n) fills up with blanks, so only a hash goes into it, char(22); write varchar(n)",
        ),
        (
            ['type = "char(9)"', "clear = true"],
            "char(n) fills up with blanks, so only a hash goes into it; write varchar(n)",
        ),
        (
            ['type = "bigint"', 'mask = "truncate:ip/24,48"'],
            "mask 'truncate:ip/24,48' goes into a column of one of the types inet, text, varchar",
        ),
        (
            ['type = "text"', 'mask = "truncate:number/10"'],
            "mask 'truncate:number/10' goes into a column of one of the types bigint, double precision, integer, "
            "numeric, smallint",
        ),
        (
            ['type = "integer"', 'mask = "truncate:number/0.5"'],
            "mask 'truncate:number/0.5' makes fractions; write a whole number, or make the type numeric",
        ),
        (
            ['type = "text"', 'mask = "truncate:ip"'],
            "mask 'truncate:ip' is not known; write one of truncate:ip/24,48, truncate:date/month, "
            "truncate:number/1000, truncate:keep/last4",
        ),
        (
            ['type = "text"', 'mask = "redact"', "pad = 16"],
            "pad goes with what is encrypted; mask 'redact' has no length to hide",
        ),
        (['type = "text"', "clear = true", "pad = 16"], "pad goes with a mask"),
        (['type = "text"', "pii = true", "pad = 0"], "pad is a number of bytes from 1 to 4096, 16 say"),
        (['type = "jsonb"', 'mask = "leaves"', 'clear = ["a."]'], "clear: path 'a.': ends where a name belongs"),
        (
            ['type = "jsonb"', 'mask = "leaves"', 'clear = ["."]'],
            'clear: "." is the whole document; write clear = true in place of the mask',
        ),
        (
            ['type = "jsonb"', 'mask = "leaves"', "clear = true"],
            "is masked, and clear, values and pattern are for columns in clear; leave one or the other out",
        ),
        (
            ['type = "text"', 'mask = "hash"', 'domain = "a\\u0000b"'],
            "the domain holds a NUL character, which parts it from the value in a hash",
        ),
    ],
)
def test_a_mask_that_does_not_fit_is_named_with_what_to_write(column: list[str], why: str) -> None:
    with pytest.raises(StreamDefinitionError) as refusal:
        stream(*column)

    assert str(refusal.value) == f"stream s.toml: column 'v': {why}"


@pytest.mark.parametrize("mask", ["random", "hash", "redact", "truncate:ip/24,48"])
def test_a_trial_needs_no_keyset_whatever_the_mask(mask: str) -> None:
    trial = StreamTrial(StreamSet((stream('type = "text"', f'mask = "{mask}"'),))).try_message('{"v": "203.0.113.7"}')

    assert trial.row == {"v": "203.0.113.7"}
