"""Every error that maskline raises on purpose, in one drawing.

Each leads to the exit code beside it, and each message is one line for the person who reads it: what is
wrong, where, and what to do::

    MasklineError
    ├── UsageError                2   an option, a file or a value given by the user is wrong
    │   └── ArgumentError         2   an argument of the API is wrong; a ValueError, too
    │       └── StreamDefinitionError 2   a stream's TOML file is wrong
    ├── MissingExtraError         2   a package that an extra of maskline brings is not installed
    ├── SetupError                2   a part is not as the job needs it; nothing was taken from the queue
    │   ├── QueueError            2
    │   ├── DatabaseError         2
    │   │   └── DatabaseLoginError 2
    │   ├── KeysetError           2
    │   ├── PayloadError          2
    │   └── LakeError             2
    ├── UnavailableError         75   a part does not answer, for longer than allowed; the same command may work later
    │   ├── QueueUnavailableError    75
    │   ├── DatabaseUnavailableError 75
    │   ├── KeysetUnavailableError   75
    │   ├── PayloadUnavailableError  75
    │   └── LakeUnavailableError     75
    ├── RunnerError               1   a runner failed the job, or did not do with it what it was asked
    ├── StopTimedOutError         1   the job was asked to stop, and something it waits for did not let it
    ├── TableError                1   a table takes no rows for a cause of its own; nothing was rejected for it
    ├── TooManyRejectedError      1   a larger share of the messages cannot become rows than was allowed
    └── TokenError                1   a token that this keyset cannot turn back into its value

No message ever holds the value of a personal field, a key, or a password.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Remedy(enum.Enum):
    """What puts an error right, where that is something maskline does. What is run for it, the command line knows."""

    MIGRATE = enum.auto()
    CREATE_TABLE = enum.auto()
    CREATE_MIGRATED_TABLE = enum.auto()
    CREATE_KEYSET = enum.auto()
    CREATE_HASH_KEYSET = enum.auto()
    WRAP_KEYSET = enum.auto()
    CHECK_DSN = enum.auto()
    GIVE_PASSWORD = enum.auto()
    CHECK_ENDPOINT = enum.auto()
    CHECK_TLS = enum.auto()
    TAKE_ROLE = enum.auto()


class MasklineError(Exception):
    """The base of all errors that maskline raises on purpose.

    Args:
        message: What is wrong, where, and what to do, in one line.
        remedy: What puts it right, where that is something maskline does.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "", *, remedy: Remedy | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class UsageError(MasklineError):
    """An option, a file or a value given by the user is wrong."""

    exit_code = 2


class ArgumentError(UsageError, ValueError):
    """An argument of the API is wrong; the message begins with the parameter's name."""


class StreamDefinitionError(ArgumentError):
    """A stream's definition cannot be used as it is written."""


class MissingExtraError(MasklineError):
    """A package that an extra of maskline brings is not installed; the message says how to install it."""

    exit_code = 2


class SetupError(MasklineError):
    """A part outside the job (queue, database, keyset) is not as the job needs it."""

    exit_code = 2


class QueueError(SetupError):
    """The queue does not exist, or may not be used with these credentials."""


class DatabaseError(SetupError):
    """The database lacks a table, a column or a permission, or refuses the login."""


class DatabaseLoginError(DatabaseError):
    """The database does not take the password. A running job tries again: passwords are rotated."""


class KeysetError(SetupError):
    """The keyset cannot be read, or is not one that masks deterministically."""


class PayloadError(SetupError):
    """The store of the objects that messages point to cannot be used with these settings or credentials."""


class LakeError(SetupError):
    """A copy in the lake is not what it has to be, or may not be read or written with these credentials."""


class UnavailableError(MasklineError):
    """A part could not be reached for longer than its retries allow: what failed may work later, unchanged.

    Its exit code is EX_TEMPFAIL of sysexits.h, by which a supervisor can tell a restart that helps from one that does
    not.
    """

    exit_code = 75


class QueueUnavailableError(UnavailableError):
    """SQS did not answer for longer than the retries allow."""


class DatabaseUnavailableError(UnavailableError):
    """Postgres did not answer for longer than the retries allow."""


class KeysetUnavailableError(UnavailableError):
    """The service that keeps or decrypts the keyset did not answer."""


class PayloadUnavailableError(UnavailableError):
    """S3 did not give out the object that a message points to; it may at another try."""


class LakeUnavailableError(UnavailableError):
    """The store of the lake did not answer, or did not do what it was asked, for longer than the retries allow."""


class RunnerError(MasklineError):
    """A runner failed the job, or could not be asked to end it: whether the job still runs may not be known."""


class StopTimedOutError(MasklineError):
    """The job was asked to stop and did not: threads of this process hang, and it has to be ended without them."""


class TableError(MasklineError):
    """A table takes no rows, or not these, for a cause of its own, in no message; nothing was rejected for it."""


class TooManyRejectedError(MasklineError):
    """A larger share of the messages cannot become rows than was allowed: the definition does not fit them."""


class TokenError(MasklineError):
    """A token cannot be turned back: damaged, of another column, or of another key."""
