"""Beam transforms, each usable alone in anyone's pipeline: thin, around what `maskline` does.

``ReadFromSqs``, ``ReadKeyset``, ``MaskPii``, ``MicroBatch``, ``WriteToPostgres``, ``WriteRejects``, ``DeleteFromSqs``.
"""

from transforms.batch import MicroBatch
from transforms.coders import register_record_coders
from transforms.keyset import ReadKeyset
from transforms.mask import MaskPii
from transforms.postgres import WriteToPostgres
from transforms.rejects import WriteRejects
from transforms.sqs import DeleteFromSqs, ReadFromSqs

__all__ = [
    "DeleteFromSqs",
    "MaskPii",
    "MicroBatch",
    "ReadFromSqs",
    "ReadKeyset",
    "WriteRejects",
    "WriteToPostgres",
]

register_record_coders()
