"""Beam transforms, each usable alone in anyone's pipeline: thin, around what `maskline` does.

``ReadFromSqs``, ``ReadKeyset``, ``MaskPii``, ``MicroBatch``, ``WriteToPostgres``, ``WriteRejections``,
``DeleteFromSqs``, ``ReturnToSqs``; and all that their signatures name.
"""

if __name__ != "maskline.transforms":
    # A second copy of every module would be a second copy of what a process has once: stop, counts, receipts in flight.
    raise ImportError(f"import maskline.transforms, not {__name__}")

try:
    import apache_beam as _  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "apache_beam":
        raise
    raise ModuleNotFoundError(
        "maskline.transforms needs Apache Beam, which is not installed: pip install 'maskline[beam]'",
        name=error.name,
    ) from None

from maskline.keys import KeysetUri, StoredKeyset
from maskline.postgres.dsn import PostgresAuth, PostgresDsn
from maskline.records import LeftMessage, MaskedRow, Reason, Receipt, RejectedRecord, Rejection, SqsMessage
from maskline.sqs import QueueAddress
from maskline.sqs.lease import VisibilityLease
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.streams.stream_set import StreamSet, Unmatched
from maskline.transforms.batch import MicroBatch
from maskline.transforms.coders import register_record_coders
from maskline.transforms.deleting import DeleteFromSqs
from maskline.transforms.keyset import ReadKeyset
from maskline.transforms.mask import MaskPii
from maskline.transforms.postgres import WriteToPostgres
from maskline.transforms.reading import ReadFromSqs
from maskline.transforms.rejections import WriteRejections
from maskline.transforms.returning import ReturnToSqs
from maskline.transforms.run_context import RunContext

__all__ = [
    "DeleteFromSqs",
    "KeysetUri",
    "LeftMessage",
    "MaskPii",
    "MaskedRow",
    "MicroBatch",
    "PostgresAuth",
    "PostgresDsn",
    "QueueAddress",
    "ReadFromSqs",
    "ReadKeyset",
    "Reason",
    "Receipt",
    "ReceiveSettings",
    "RejectedRecord",
    "Rejection",
    "ReturnToSqs",
    "RunContext",
    "SqsMessage",
    "StoredKeyset",
    "StreamDefinition",
    "StreamSet",
    "Unmatched",
    "VisibilityLease",
    "WriteRejections",
    "WriteToPostgres",
]

register_record_coders()
