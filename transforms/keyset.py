"""Reading a keyset on a worker, where it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection
from apache_beam.transforms.display import DisplayDataItem

from maskline.keys import KeysetUri, StoredKeyset
from maskline.transforms.arguments import check_context
from maskline.transforms.run_context import RunContext


class ReadKeyset(beam.PTransform):
    """Reads a keyset as it is stored, encrypted or not, into a PCollection of one `StoredKeyset`.

    Use it as a side input::

        keyset = pipeline | ReadKeyset("aws-kms://KEY_ARN?keyset=s3://BUCKET/KEY")
        masked, rejected = messages | MaskPii("user_logins", keyset=beam.pvalue.AsSingleton(keyset))

    *Guarantee*: the job graph holds the URI and never a key; the keyset is read when the job runs. *Warning*: the
    keyset passes through the runner on its way to the workers that mask, so give one that a KMS key encrypts.

    Args:
        uri: Where the keyset is kept; see `maskline.keys.providers`.
        context: The run that the transform belongs to; see `RunContext`. Only a program that starts runs gives one.

    Raises:
        ArgumentError: The URI names no provider.
    """

    def __init__(self, uri: KeysetUri | str, context: RunContext | None = None) -> None:
        super().__init__()
        self._uri = KeysetUri.parse(uri)
        self._context = check_context(context)

    def expand(self, pbegin: PBegin) -> PCollection[StoredKeyset]:
        """Read the keyset once."""
        return pbegin | "Once" >> beam.Create([self._uri]) | "Fetch" >> beam.ParDo(_Fetch(self._context))

    def display_data(self) -> dict[str, Any]:
        """Return where the keyset is kept, for a runner's interface."""
        return {"keyset": DisplayDataItem(str(self._uri), label="Keyset")}


class _Fetch(beam.DoFn):
    def __init__(self, context: RunContext) -> None:
        self._context = context

    def process(self, uri: KeysetUri) -> Iterator[StoredKeyset]:
        with self._context.reporting_failures():
            yield uri.provider().fetch()
