"""How records travel between workers, on runners that do not keep a pipeline in one process.

They are pickled, as by Beam's default coder. What differs is the estimate of their size: a runner asks for that of the
first elements of every bundle, and the default coder pickles them to answer; for micro-batches this cost more than
masking them.

Source: https://beam.apache.org/documentation/programming-guide/#data-encoding-and-type-safety
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import apache_beam as beam
from apache_beam.coders.coder_impl import CallbackCoderImpl
from apache_beam.coders.coders import FastCoder

from maskline.records import LeftMessage, MaskedRow, Receipt, RejectedRecord, Rejection, SqsMessage

_SIZES: dict[type, Callable[[Any], int]] = {
    SqsMessage: lambda message: len(message.body) + len(message.receipt_handle),
    MaskedRow: lambda row: 2 * len(row.sealed_body) + len(row.receipt.receipt_handle),
    Rejection: lambda rejection: len(rejection.sealed_body) + len(rejection.receipt.receipt_handle),
    RejectedRecord: lambda record: len(record.sealed_body),
    LeftMessage: lambda message: len(message.receipt.receipt_handle),
    Receipt: lambda receipt: len(receipt.receipt_handle),
}


class RecordCoder(FastCoder):
    """Pickles records, and estimates their size in bytes from the lengths of their texts alone."""

    def is_deterministic(self) -> bool:
        """Return False: equal records may be encoded differently, and none of them is ever a key."""
        return False

    def _create_impl(self) -> CallbackCoderImpl:
        return CallbackCoderImpl(_pickled, pickle.loads, _estimated_size)

    def __eq__(self, other: object) -> bool:
        """Return whether the other is a coder of records, too: all of them are the same."""
        return type(self) is type(other)

    def __hash__(self) -> int:
        """Return the hash that all coders of records have."""
        return hash(type(self))


def register_record_coders() -> None:
    """Register `RecordCoder` with Beam for every record type; this happens when the package is imported."""
    for record in _SIZES:
        beam.coders.registry.register_coder(record, RecordCoder)


def _pickled(record: object) -> bytes:
    return pickle.dumps(record, pickle.HIGHEST_PROTOCOL)


def _estimated_size(record: object) -> int:
    return _SIZES[type(record)](record)
