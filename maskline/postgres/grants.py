"""What each role may do with the table of a stream."""

from __future__ import annotations

import msgspec

from maskline.postgres.identifiers import quoted
from maskline.streams.definition import WRITTEN_IN, StreamDefinition

ROLES = (
    "maskline_writer",
    "maskline_analyst",
    "maskline_publisher",
    "maskline_remasker",
    "maskline_eraser",
)
"""The roles that do something with tables of streams."""

CREATE_ROLES = f"""\
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY{list(ROLES)} LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
END $$"""


class Privilege(msgspec.Struct, frozen=True):
    """One privilege, on a table or on some of its columns.

    Attributes:
        name: SELECT, say.
        columns: With which columns; with all, and those to come, where there are none.
    """

    name: str
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write it as SQL does."""
        return f"{self.name} ({quoted(self.columns)})" if self.columns else self.name


class Grant(msgspec.Struct, frozen=True):
    """The privileges of some roles on a table.

    Attributes:
        roles: The roles.
        privileges: What they may do.
    """

    roles: tuple[str, ...]
    privileges: tuple[Privilege, ...]

    def statement(self, table: str) -> str:
        """Return the statement that grants it.

        Args:
            table: The table, quoted.
        """
        return f"GRANT {', '.join(map(str, self.privileges))} ON {table} TO {', '.join(self.roles)}"


def table_grants(stream: StreamDefinition) -> list[Grant]:
    """Return the privileges of the roles on a stream's table, each no more than it needs.

    Args:
        stream: The stream.
    """
    tokens = ("key_id", *(column.name for column in stream.reversible_columns))
    grants = [
        Grant(("maskline_writer",), (Privilege("INSERT"), Privilege("SELECT", ("message_id",)))),
        Grant(("maskline_analyst", "maskline_publisher"), (Privilege("SELECT"),)),
        Grant(
            ("maskline_remasker",),
            (Privilege("SELECT", ("tableoid", "ctid", "message_id", *tokens)), Privilege("UPDATE", tokens)),
        ),
    ]
    if stream.subject_columns:
        read = (*(stream.subject or ()), "key_id", WRITTEN_IN, "xmin")
        grants.append(Grant(("maskline_eraser",), (Privilege("SELECT", read), Privilege("DELETE"))))
    return grants
