"""How the user can fix an error: the core names the remedy, and this is the command or the advice for it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from maskline.errors import MasklineError, Remedy
from maskline.pipeline.program import program_name

COMMANDS = {
    Remedy.MIGRATE: "migrate --postgres DSN",
    Remedy.CREATE_TABLE: "streams apply FILE --postgres DSN",
    Remedy.CREATE_MIGRATED_TABLE: "migrate --stream STREAM --postgres DSN",
    Remedy.CREATE_KEYSET: "keys create --keyset URI",
    Remedy.CREATE_HASH_KEYSET: "keys create --kind hash --keyset URI",
    Remedy.WRAP_KEYSET: "keys wrap --keyset URI --target URI",
}
_ROLES = (
    "run and check take the role maskline_writer, unmask and leakage maskline_analyst, remask and keys "
    "maskline_remasker, lake publish maskline_publisher, erase maskline_eraser, and all else the tables' owner"
)
SENTENCES = {
    Remedy.TAKE_ROLE: _ROLES,
    Remedy.CHECK_DSN: "see what --postgres says, and PGHOST, PGUSER and the like",
    Remedy.GIVE_PASSWORD: "the password comes from PGPASSWORD, PGPASSFILE or a service file",
    Remedy.CHECK_ENDPOINT: (
        "see whether this machine reaches it, and whether --queue_endpoint, or the region of --queue, is the right one"
    ),
    Remedy.CHECK_TLS: (
        "see whether it speaks TLS at all, and name the authority of its certificate by AWS_CA_BUNDLE where that is "
        "one of your own"
    ),
}

_SOCKET = re.compile(r'on socket "(?P<directory>[^"]+)/\.s\.PGSQL\.\d+" failed')
_LOCK_OF_LOCAL_RUN = "lock"
"""What `maskline.pipeline.local.directory` keeps beside the database."""


def with_remedy(error: MasklineError) -> str:
    """Return the text of an error, with the command that fixes it, if there is one.

    Args:
        error: The error.
    """
    if error.remedy is None:
        return f"{error}{_local_run_of(str(error))}"
    if error.remedy in SENTENCES:
        return f"{error}; {SENTENCES[error.remedy]}"
    separator = "" if str(error).endswith("?") else ";"
    return f"{error}{separator} run: {program_name()} {COMMANDS[error.remedy]}"


def _local_run_of(text: str) -> str:
    """Return how the database of a local run is started again, where it is that which does not answer."""
    match = _SOCKET.search(text)
    directory = Path(match["directory"]).parent if match else None
    if directory is None or not (directory / _LOCK_OF_LOCAL_RUN).exists():
        return ""
    return (
        "; it is the database of a local run, which has ended; start it again, and leave it running: "
        f"{program_name()} local --follow --data_directory {shlex.quote(str(directory))}"
    )
