"""What the user can run, or see to, to put an error right: the core says what it takes, and here is how it is done."""

from __future__ import annotations

from maskline.errors import MasklineError, Remedy
from maskline.pipeline.program import program_name

COMMANDS = {
    Remedy.MIGRATE: "migrate --postgres DSN",
    Remedy.CREATE_TABLE: "streams apply FILE --postgres DSN",
    Remedy.CREATE_KEYSET: "keys create --keyset URI",
    Remedy.CREATE_HASH_KEYSET: "keys create --kind hash --keyset URI",
    Remedy.WRAP_KEYSET: "keys wrap --keyset URI --target URI",
}
ROLES = (
    "; run and check take the role maskline_writer, unmask and leakage maskline_analyst, remask and keys "
    "maskline_remasker, lake publish maskline_publisher, erase maskline_eraser, and all else the tables' owner"
)


def with_remedy(error: MasklineError) -> str:
    """Return what an error says, and with which command it is put right, where one does that.

    Args:
        error: The error.
    """
    if error.remedy is None:
        return str(error)
    if error.remedy is Remedy.TAKE_ROLE:
        return f"{error}{ROLES}"
    separator = "" if str(error).endswith("?") else ";"
    return f"{error}{separator} run: {program_name()} {COMMANDS[error.remedy]}"
