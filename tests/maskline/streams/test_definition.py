"""A stream is described once, and a description with a mistake says which column and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.errors import StreamDefinitionError
from maskline.masks.normalization import Normalization
from maskline.streams.column_types import ColumnType
from maskline.streams.columns import Column, Origin, Source
from maskline.streams.definition import StreamDefinition, load_stream, parse_stream
from maskline.streams.masks import Mask, Method
from maskline.streams.paths import Path as FieldPath

ORDERS = """
name = "orders"
table = "shop_orders"

[columns.order_id]
type = "bigint"

[columns.masked_email]
field = "email"
type = "varchar(400)"
pii = true
domain = "email"
nullable = true
max_length = 254

[columns.note]
type = "text"
clear = true
max_length = 1000
"""


def field(name: str) -> Source:
    """Return the source that is a field of the record."""
    return Source(Origin.RECORD, FieldPath(name, (name,)))


def masked(
    name: str, source: str, declaration: str, domain: str, max_length: int | None = None, rule: str | None = None
) -> Column:
    """Return a masked column that may be NULL."""
    return Column(
        name=name,
        source=field(source),
        type=ColumnType.parse(declaration),
        mask=Mask(Method.DETERMINISTIC),
        domain=domain,
        normalization=None if rule is None else Normalization.parse(rule),
        nullable=True,
        max_length=max_length,
    )


def clear(name: str, declaration: str, *, nullable: bool = False, max_length: int | None = None) -> Column:
    """Return a column in clear."""
    return Column(
        name=name,
        source=field(name),
        type=ColumnType.parse(declaration),
        nullable=nullable,
        max_length=max_length,
    )


def of_column(*lines: str, name: str = "ip") -> str:
    """Return a definition of one column."""
    return "\n".join(('name = "logins"', 'table = "logins"', f"[columns.{name}]", *lines))


_MASKED_TYPES = "a masked column holds tokens, so its type is varchar(n) or text, or an array of one of them"


def refusal_of(text: str) -> str:
    """Return why a definition is refused."""
    with pytest.raises(StreamDefinitionError) as refusal:
        parse_stream(text, origin="logins.toml")
    return str(refusal.value)


def test_user_logins_is_the_stream_of_the_table_its_owner_made(user_logins: StreamDefinition) -> None:
    assert user_logins == StreamDefinition(
        name="user_logins",
        table="user_logins",
        columns=(
            clear("user_id", "varchar(128)"),
            clear("device_type", "varchar(32)"),
            masked("masked_ip", "ip", "varchar(256)", "user_logins.masked_ip", rule="ip"),
            masked("masked_device_id", "device_id", "varchar(256)", "user_logins.masked_device_id", rule="text"),
            clear("locale", "varchar(32)", nullable=True),
            clear("app_version", "varchar(32)"),
        ),
        subject=("user_id",),
    )


def test_only_personal_columns_of_user_logins_are_masked(user_logins: StreamDefinition) -> None:
    are_masked = {column.name: column.is_masked for column in user_logins.columns}

    assert [name for name, is_masked in are_masked.items() if is_masked] == ["masked_ip", "masked_device_id"]
    assert [column.name for column in user_logins.masked_columns] == ["masked_ip", "masked_device_id"]


def test_a_stream_of_ones_own_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "orders.toml"
    path.write_text(ORDERS, encoding="utf-8")

    stream = load_stream(str(path))

    assert stream == StreamDefinition(
        name="orders",
        table="shop_orders",
        columns=(
            clear("order_id", "bigint"),
            masked("masked_email", "email", "varchar(400)", "email", 254),
            clear("note", "text", max_length=1000),
        ),
    )


def test_a_column_is_found_by_its_name(user_logins: StreamDefinition) -> None:
    assert user_logins.column("masked_ip").field == "ip"
    with pytest.raises(KeyError, match="ip"):
        user_logins.column("ip")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(StreamDefinitionError) as refusal:
        load_stream("orders")

    assert str(refusal.value) == (
        "stream 'orders' is not known; known: user_logins, user_logins_masked_id. For a stream of your own give "
        "the path of its .toml file"
    )


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.toml"

    with pytest.raises(StreamDefinitionError) as refusal:
        load_stream(str(path))

    assert str(refusal.value) == f"stream {path}: cannot be read: No such file or directory"


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.toml"
    path.write_bytes(b'name = "\xff"')

    with pytest.raises(StreamDefinitionError, match=r"orders\.toml: cannot be read: it is not text in UTF-8"):
        load_stream(str(path))


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.toml"
    path.write_text(ORDERS.replace("bigint", "money"), encoding="utf-8")

    with pytest.raises(StreamDefinitionError) as refusal:
        load_stream(str(path))

    assert str(refusal.value).startswith(f"stream {path}: column 'order_id': type 'money' is not one of varchar(n), ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name =", "Invalid value (at end of document)"),
        ('table = "logins"\n[columns.a]\ntype = "text"', "Object missing required field `name`"),
        ('name = "logins"\n[columns.a]\ntype = "text"', "Object missing required field `table`"),
        ('name = "logins"\ntable = "logins"', "Object missing required field `columns`"),
        ('name = "logins"\ntable = "logins"\n[columns]', "a stream needs at least one column"),
        ('name = "logins"\ntable = "logins"\ncolumns = 3', "Expected `object`, got `int` - at `$.columns`"),
        ('name = 3\ntable = "logins"\n[columns.a]\ntype = "text"', "Expected `str`, got `int` - at `$.name`"),
        ('tabel = "logins"', "Object contains unknown field `tabel`"),
    ],
)
def test_a_definition_of_another_shape_is_refused(text: str, why: str) -> None:
    assert refusal_of(text) == f"stream logins.toml: {why}"


@pytest.mark.parametrize("word", ["", "Logins", "user-logins", "1st", 'a"b', "a b", "x; drop table y", "é", "a" * 64])
def test_a_name_that_is_not_a_plain_identifier_is_refused_wherever_it_stands(word: str) -> None:
    quoted = "'" + word + "'"
    column = 'type = "text"'

    as_name = refusal_of(f'name = {quoted}\ntable = "logins"\n[columns.a]\n{column}')
    as_table = refusal_of(f'name = "logins"\ntable = {quoted}\n[columns.a]\n{column}')
    as_column = refusal_of(of_column(column, name=quoted))

    rule = f"{word!r} is not an identifier of lower-case letters, digits and _ (63 at most)"
    assert as_name == f"stream logins.toml: name {rule}"
    assert as_table == f"stream logins.toml: table {rule}, or two of them, schema.table"
    assert as_column == f"stream logins.toml: column {rule}"


def test_the_longest_identifier_of_postgres_is_taken() -> None:
    stream = parse_stream(of_column('type = "text"', "clear = true", name="a" * 63), origin="logins.toml")

    assert stream.columns[0].name == "a" * 63


@pytest.mark.parametrize("name", ["create_date", "message_id", "sent_at", "processed_at", "key_id"])
def test_a_column_that_the_job_fills_cannot_come_from_a_message(name: str) -> None:
    why = refusal_of(of_column('type = "text"', name=name))

    assert why == (f"stream logins.toml: column '{name}' is filled by the job itself and cannot come from a message")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (['field = "ip"'], "Object missing required field `type`"),
        (
            ['type = "text"', "pi = true"],
            "has no key 'pi'; those are: type, field, mask, pii, clear, pad, domain, nullable, required, default, "
            "max_length, format, round, values, pattern",
        ),
        (['type = "text"', 'pii = "yes"'], "Expected `bool`, got `str` - at `$.pii`"),
        (['type = "text"', "max_length = true"], "Expected `int | null`, got `bool` - at `$.max_length`"),
        (['type = "text"', "clear = true", 'domain = "ip"'], "a domain goes with a mask"),
        (['type = "bigint"', "pii = true"], _MASKED_TYPES),
        (
            ['type = "varchar(29)"', "pii = true"],
            "a token takes 30 characters (at least 30), so widen its type",
        ),
        (
            ['type = "varchar(366)"', "pii = true", "max_length = 254"],
            "a token takes 367 characters (at least 30), so widen its type",
        ),
        (
            ['type = "text"', "pii = true", 'domain = "rejected_messages.body"'],
            "the domain rejected_messages.body is that of rejected bodies",
        ),
        (
            ['type = "text"', "clear = true", 'field = ""'],
            "an empty field is no field; leave it out for the column's own name",
        ),
        (['type = "varchar(10)"', "clear = true", "max_length = 11"], "max_length is longer than varchar(10) can hold"),
        (
            ['type = "text"', "pii = true", 'domain = ""'],
            "an empty domain would let its tokens be matched with any other such column",
        ),
        (
            ['type = "text"', "clear = true", "max_length = 0"],
            "max_length is a positive number of characters of a text column",
        ),
        (['type = "bigint"', "max_length = 9"], "max_length is a positive number of characters of a text column"),
    ],
)
def test_a_mistake_in_a_column_names_the_column_and_what_is_wrong(lines: list[str], why: str) -> None:
    assert refusal_of(of_column(*lines)) == f"stream logins.toml: column 'ip': {why}"


def test_a_column_that_is_no_table_is_named() -> None:
    why = refusal_of('name = "logins"\ntable = "logins"\n[columns]\nmasked_ip = "text"')

    assert why == "stream logins.toml: column 'masked_ip': Expected `object`, got `str`"


@pytest.mark.parametrize(
    "lines",
    [['type = "varchar(30)"', "pii = true"], ['type = "varchar(367)"', "pii = true", "max_length = 254"]],
)
def test_a_masked_column_that_just_holds_its_token_is_taken(lines: list[str]) -> None:
    stream = parse_stream(of_column(*lines), origin="logins.toml")

    assert stream.columns[0].is_masked


def test_a_stream_with_examples_tells_a_place_in_a_dict_as_any_other() -> None:
    text = ORDERS + '[[test]]\nbody = "{}"\nrow = { order_id = 7 }\n'

    counts = {parse_stream(text, "orders.toml"): 1, parse_stream(ORDERS, "orders.toml"): 2}

    assert counts[parse_stream(text, "orders.toml")] == 1


def test_one_field_may_feed_several_columns() -> None:
    text = of_column('type = "text"', "pii = true", 'field = "ip"', name="masked_ip")

    stream = parse_stream(f'{text}\n[columns.ip]\ntype = "inet"\nclear = true', origin="logins.toml")

    assert [(column.name, column.field) for column in stream.columns] == [("masked_ip", "ip"), ("ip", "ip")]


def test_columns_of_one_domain_are_masked_alike_only_where_the_definition_says_so() -> None:
    text = of_column('type = "text"', "pii = true", 'domain = "ip"') + '\n[columns.b]\ntype = "text"\npii = true'

    stream = parse_stream(text, origin="logins.toml")

    assert [column.domain for column in stream.columns] == ["ip", "logins.b"]
