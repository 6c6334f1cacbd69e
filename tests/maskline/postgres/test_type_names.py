"""Which type of a column takes the values of which."""

from __future__ import annotations

import pytest

from maskline.postgres.type_names import short_name, takes, widens_in_place


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("character varying(40)", "varchar(40)"),
        ("character varying(40)[]", "varchar(40)[]"),
        ("timestamp with time zone", "timestamptz"),
        ("double precision", "double precision"),
        ("character(22)", "char(22)"),
        ('"date"', "date"),
    ],
)
def test_types_by_the_names_that_definitions_have(declared: str, name: str) -> None:
    assert short_name(declared) == name


@pytest.mark.parametrize(
    ("found", "needed"),
    [
        ("text", "varchar(40)"),
        ("varchar", "text"),
        ("varchar(40)", "varchar(40)"),
        ("varchar(41)", "varchar(40)"),
        ("text[]", "varchar(40)[]"),
        ("varchar(40)", "char(22)"),
        ("text", "char(22)"),
        ("bigint", "smallint"),
        ("numeric", "numeric(12, 2)"),
        ("numeric(12,2)", "numeric(12, 2)"),
        ("numeric(38,0)", "numeric(38)"),
        ("numeric(14,3)", "numeric(12, 2)"),
        ("timestamptz", "timestamptz"),
    ],
)
def test_a_type_takes_itself_and_narrower_ones(found: str, needed: str) -> None:
    assert takes(found, needed)


@pytest.mark.parametrize(
    ("found", "needed"),
    [
        ("varchar(39)", "varchar(40)"),
        ("varchar(39)", "text"),
        ("text", "text[]"),
        ("text[]", "text"),
        ("integer", "bigint"),
        ("numeric(12,2)", "numeric"),
        ("numeric(13,3)", "numeric(13, 2)"),
        ("date", "timestamptz"),
        ("text", "bigint"),
        ("jsonb", "text"),
        ("char(22)", "char(23)"),
        ("char(22)", "varchar(22)"),
    ],
)
def test_a_type_takes_no_other(found: str, needed: str) -> None:
    assert not takes(found, needed)


@pytest.mark.parametrize(
    ("found", "needed", "is_in_place"),
    [
        ("varchar(40)", "varchar(400)", True),
        ("varchar(40)", "text", True),
        ("numeric(10,2)", "numeric(12, 2)", True),
        ("numeric(10,2)", "numeric", True),
        ("numeric(10,2)", "numeric(12, 3)", False),
        ("integer", "bigint", False),
        ("char(22)", "text", False),
        ("varchar(40)[]", "text[]", False),
        ("text", "varchar(40)", False),
    ],
)
def test_what_postgres_widens_without_a_look_at_the_rows(found: str, needed: str, is_in_place: bool) -> None:
    assert widens_in_place(found, needed) == is_in_place
