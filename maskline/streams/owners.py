"""To whom a message belongs, as fingerprints by which a writer recognizes the messages of erased persons."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from maskline.keys import Keyset
from maskline.masks.fingerprints import PersonFingerprints
from maskline.records import SqsMessage
from maskline.streams.mentions import MessageJudge
from maskline.streams.stream import StreamDefinition
from maskline.streams.subjects import Subject


class MessageOwners:
    """Makes the fingerprints of the persons to whom the messages of a stream belong.

    Args:
        stream: The stream.
        keyset: Its keys make them, each its own.
    """

    def __init__(self, stream: StreamDefinition, keyset: Keyset) -> None:
        made = PersonFingerprints(keyset)
        self._stream = stream.name
        self._columns = [
            (index, made.of_column(stream.name, column.name))
            for index, column in enumerate(stream.columns)
            if column in stream.subject_columns
        ]
        subjects = [Subject(stream, column) for column in stream.subject_columns]
        self._judged = [
            (subject, MessageJudge([subject], subject.column.name, []), fingerprints)
            for subject, (_, fingerprints) in zip(subjects, self._columns, strict=True)
        ]

    def of_values(self, values: Sequence[object]) -> tuple[bytes, ...]:
        """Return the fingerprints of the persons to whom a row belongs.

        Args:
            values: The values of the stream's columns, in clear.
        """
        made: list[bytes] = []
        for index, fingerprints in self._columns:
            value = values[index]
            if type(value) is str:
                made += fingerprints(value)
                continue
            for one in value if isinstance(value, list) else (value,):
                if one is not None:
                    made += fingerprints(str(one))
        return tuple(made)

    def of_message(self, message: SqsMessage) -> tuple[bytes, ...]:
        """Return the fingerprints of the persons to whom a message that becomes no row belongs, as far as it says.

        Args:
            message: The message.
        """
        made: list[bytes] = []
        for subject, judge, fingerprints in self._judged:
            with contextlib.suppress(Exception):  # one message never ends the job
                for owner in judge.owners(self._stream, message.body, message.attributes):
                    value = subject.value_of(owner)
                    made += fingerprints(value) if value is not None else []
        return tuple(made)
