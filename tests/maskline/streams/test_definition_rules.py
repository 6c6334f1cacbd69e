"""A definition says when it is loaded what it does not support, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.errors import StreamDefinitionError
from maskline.streams.columns import Origin
from maskline.streams.definition import load_stream, parse_stream
from maskline.streams.masks import Mask, Method

UNDECIDED = (
    'holds text, so it says what becomes of it: mask = "deterministic" (or pii = true) for personal data, clear = true '
    'for anything else, or what it may hold, values = ["…"] or pattern = "…"'
)


def definition(*column: str, name: str = "v", before: str = "", after: str = "") -> str:
    """Return a definition of one column."""
    return "\n".join(('name = "s"', 'table = "s"', before, f"[columns.{name}]", *column, after))


def refusal_of(text: str) -> str:
    """Return why a definition is refused."""
    with pytest.raises(StreamDefinitionError) as refusal:
        parse_stream(text, origin="s.toml")
    return str(refusal.value).removeprefix("stream s.toml: ")


@pytest.mark.parametrize("declaration", ["text", "varchar(400)", "text[]", "varchar(400)[]"])
def test_a_text_column_says_what_becomes_of_it(declaration: str) -> None:
    assert refusal_of(definition(f'type = "{declaration}"')) == f"column 'v': {UNDECIDED}"
    for decision in ("clear = true", "pii = true", 'mask = "deterministic"', 'values = ["a"]', 'pattern = "a"'):
        assert parse_stream(definition(f'type = "{declaration}"', decision), "s.toml")


@pytest.mark.parametrize("declaration", ["bytea", "inet", "inet[]"])
def test_a_type_that_can_hold_a_person_says_that_it_is_clear(declaration: str) -> None:
    assert refusal_of(definition(f'type = "{declaration}"')) == (
        f"column 'v': a column of type {declaration} can hold personal data, and such a type is stored in clear; write "
        'clear = true, or make it a text with mask = "deterministic"'
    )
    assert parse_stream(definition(f'type = "{declaration}"', "clear = true"), "s.toml")


@pytest.mark.parametrize("column", [["clear = true"], ['values = ["a"]'], ['pattern = "a"'], []])
def test_a_column_named_masked_is_never_clear(column: list[str]) -> None:
    for declaration in ("text", "bigint"):
        assert refusal_of(definition(f'type = "{declaration}"', *column, name="masked_v")) == (
            "column 'masked_v': a column whose name begins with masked_ holds tokens; write mask = \"deterministic\", "
            "or give it another name"
        )


def test_a_document_says_what_becomes_of_it() -> None:
    assert refusal_of(definition('type = "jsonb"')) == (
        "column 'v': a document can hold personal data, so it says what becomes of it: mask = \"leaves\" to make "
        'tokens of what is in it (clear = ["a.path"] for what is not), or clear = true to store it as it is'
    )


def test_pii_and_the_deterministic_mask_are_the_same() -> None:
    by_pii, by_mask = (
        parse_stream(definition('type = "text"', line), "s.toml") for line in ("pii = true", 'mask = "deterministic"')
    )

    assert by_pii == by_mask
    assert by_pii.columns[0].mask == Mask(Method.DETERMINISTIC)
    assert by_pii.columns[0].domain == "s.v"


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (
            ['type = "text"', 'mask = "sha256"'],
            "mask 'sha256' is not known; write one of deterministic, random, hash, redact, leaves, truncate:ip/24,48, "
            "truncate:date/month, truncate:number/1000, truncate:keep/last4",
        ),
        (
            ['type = "text"', 'mask = "deterministic:x"'],
            "mask 'deterministic:x' takes nothing behind a colon; write mask = 'deterministic'",
        ),
        (
            ['type = "text"', "pii = true", "clear = true"],
            "is masked, and clear, values and pattern are for columns in clear; leave one or the other out",
        ),
        (
            ['type = "text"', "pii = true", 'values = ["a"]'],
            "is masked, and clear, values and pattern are for columns in clear; leave one or the other out",
        ),
        (
            ['type = "jsonb"', 'clear = ["a"]'],
            'clear = […] goes with mask = "leaves"; write that, too, or clear = true',
        ),
        (
            ['type = "jsonb"', "pii = true"],
            'a document is masked by its leaves; write mask = "leaves"',
        ),
        (
            ['type = "text"', "clear = true", 'field = "a[*].b"'],
            '[*] finds many values; write type = "text[]", or [0] for the first',
        ),
        (['type = "text"', "clear = true", 'field = "."'], 'field = "." is the whole record, which only a jsonb holds'),
        (
            ['type = "integer"', 'field = "a..b"'],
            "path 'a..b': has an empty name; quote a name that holds a dot",
        ),
        (
            ['type = "integer"', 'field = "envelope:time"'],
            'envelope:time needs an envelope; write [message] envelope = ["sns"], say',
        ),
        (['type = "integer"', 'field = "attribute:"'], "'attribute:' has no name behind the colon"),
        (
            ['type = "integer"', 'field = "attribute:a b"'],
            "'a b' is not the name of a message attribute (letters, digits, _, - and .)",
        ),
        (
            ['type = "integer[]"', 'field = "attribute:a"'],
            "a message attribute is one text; integer[] cannot come from it",
        ),
        (
            ['type = "integer"', "default = 3"],
            "a default is for a field that may be absent; write required = false, too",
        ),
        (
            ['type = "integer"', "required = false", 'default = "x"'],
            "one of its values, or its default, is a string, not an integer",
        ),
        (
            ['type = "integer[]"', "required = false", "default = 3"],
            "default is a list for an array, and a single value for any other type",
        ),
        (
            ['type = "smallint"', "values = [1, 40000]"],
            "one of its values, or its default, is out of the range of smallint",
        ),
        (
            ['type = "jsonb"', "clear = true", 'values = ["a"]'],
            "values is a list of what the column may hold, and goes with any type but jsonb",
        ),
        (
            ['type = "text"', "values = []"],
            "values is a list of what the column may hold, and goes with any type but jsonb",
        ),
        (['type = "integer"', 'pattern = "a"'], "pattern goes with a text column"),
        (
            ['type = "text"', 'pattern = "("'],
            "pattern is not a regular expression as RE2 reads it: missing ): (",
        ),
        (
            ['type = "text"', 'pattern = "(?!a)b"'],
            "pattern is not a regular expression as RE2 reads it: invalid perl operator: (?!",
        ),
        (['type = "integer"', "round = true"], "round goes with a timestamptz"),
        (
            ['type = "integer"', 'format = "epoch_s"'],
            "format 'epoch_s' does not go with integer; epoch_s, epoch_ms, epoch_us, epoch_ns and local:ZONE go with "
            "timestamptz, text with varchar(n) and text, number with types of numbers",
        ),
        (
            ['type = "timestamptz"', 'format = "local:Mars"'],
            "the time zone 'Mars' is not known here; write one like local:Europe/Berlin",
        ),
    ],
)
def test_a_column_that_cannot_be_is_named_with_what_to_write(column: list[str], why: str) -> None:
    assert refusal_of(definition(*column)) == f"column 'v': {why}"


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ('[message]\nenvelope = ["kafka"]', "Invalid enum value 'kafka' - at `$.message.envelope[0]`"),
        ('[message]\nunknown = "drop"', "Invalid enum value 'drop' - at `$.message.unknown`"),
        (
            '[message]\ndecode = ["gzip"]',
            '[message] decode: gzip makes bytes, which a message cannot hold but in base64; write decode = ["base64", '
            '"gzip"]',
        ),
        (
            '[message]\nenvelope = ["sns", "sns"]',
            "[message] envelope: names one twice; an envelope within its like is not supported",
        ),
        ("[message]\ndelete_payload = true", '[message] delete_payload: goes with envelope = ["s3-pointer"]'),
        ('[message]\nroot = "a."', "[message] root: path 'a.': ends where a name belongs"),
        (
            '[message]\nroot = "a[*]"',
            "[message] root: has an [*], and a message is one row; write [0] for the first",
        ),
        (
            '[match]\n"a[*]" = 1',
            "[match] 'a[*]': has an [*], which finds many values; write [0] for the first",
        ),
        ('[match]\n"a" = 1.5', "[match] 'a': is a text, an integer, true or false, or a list of them"),
        ('[match]\n"a" = []', "[match] 'a': is a text, an integer, true or false, or a list of them"),
        (
            '[match]\n"attribute:a" = 1',
            "[match] 'attribute:a': a message attribute is text, whatever its type; write its value as text",
        ),
        (
            '[match]\n"envelope:a" = "b"',
            "[match] 'envelope:a': envelope:a needs an envelope; write [message] envelope = [\"sns\"], say",
        ),
        (
            '[domains.email]\nnormalize = "email"',
            "domain 'email': no column is of it; write domain = \"email\" in those that are",
        ),
    ],
)
def test_what_else_cannot_be_is_named_with_what_to_write(after: str, why: str) -> None:
    assert refusal_of(definition('type = "integer"', after=after)) == why


@pytest.mark.parametrize("name", ["ctid", "xmin", "tableoid"])
def test_a_column_of_postgres_own_is_refused(name: str) -> None:
    assert refusal_of(definition('type = "integer"', name=name)) == (
        f"column '{name}' is one that Postgres has in every table; give it another name"
    )


def test_a_table_may_have_a_schema() -> None:
    text = definition('type = "integer"')

    plain = parse_stream(text, "s.toml")
    with_schema = parse_stream(text.replace('table = "s"', 'table = "shop.orders"'), "s.toml")

    assert (plain.table, plain.schema, plain.table_parts) == ("s", None, ("s",))
    assert (with_schema.table, with_schema.schema) == ("shop.orders", "shop")
    assert with_schema.table_parts == ("shop", "orders")


@pytest.mark.parametrize("table", ["a.b.c", "a.", ".a", "Shop.orders", 'shop."orders"'])
def test_a_table_of_another_form_is_refused(table: str) -> None:
    assert refusal_of(definition('type = "integer"').replace('table = "s"', f"table = '{table}'")) == (
        f"table {table!r} is not an identifier of lower-case letters, digits and _ (63 at most), or two of them, "
        "schema.table"
    )


@pytest.mark.parametrize("table", ["rejected_messages", "public.pii_access_log"])
def test_a_table_of_masklines_own_is_refused(table: str) -> None:
    text = definition('type = "integer"').replace('table = "s"', f'table = "{table}"')

    assert refusal_of(text) == f"table {table!r} is one of maskline's own"


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("\ufeff" + definition('type = "integer"'), encoding="utf-8")

    assert load_stream(str(path)).columns[0].name == "v"


@pytest.mark.parametrize(
    ("field", "origin", "name"),
    [
        ("a.b", Origin.RECORD, None),
        ("b", Origin.RECORD, "b"),
        ('"attribute:x"', Origin.RECORD, "attribute:x"),
        ("attribute:x.y-z", Origin.ATTRIBUTE, "x.y-z"),
        ("urn:x", Origin.RECORD, "urn:x"),
    ],
)
def test_a_field_says_where_it_comes_from(field: str, origin: Origin, name: str | None) -> None:
    column = parse_stream(definition('type = "integer"', f"field = '{field}'"), "s.toml").columns[0]

    assert column.source.origin is origin
    assert column.source.path.name == name
    assert column.field == field


@pytest.mark.parametrize(
    ("lines", "takes_null"),
    [
        ([], False),
        (["nullable = true"], True),
        (["required = false"], True),
        (["required = false", "default = 1"], False),
        (["required = false", "default = 1", "nullable = true"], True),
    ],
)
def test_a_column_is_not_null_where_no_message_can_make_it_null(lines: list[str], takes_null: bool) -> None:
    assert parse_stream(definition('type = "integer"', *lines), "s.toml").columns[0].takes_null is takes_null
