"""Reading the keyset where it is needed: on a worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection
from apache_beam.transforms.display import DisplayDataItem

from maskline.keys import KeysetUri, StoredKeyset
from maskline.transforms.run_context import RunContext, run_context


class ReadKeyset(beam.PTransform):
    """Reads a keyset, as stored, into a PCollection of one `StoredKeyset`, to be taken as a side input.

    It is read when the job runs: the job graph holds the URI and never a key.

    Args:
        uri: Where the keyset is kept; see `maskline.keys.providers`.
        context: The run, which a starter shares with its transforms; see `RunContext`.

    Raises:
        ArgumentError: The URI names no provider.
    """

    def __init__(self, uri: KeysetUri | str, context: RunContext | None = None) -> None:
        super().__init__()
        self._uri = KeysetUri.parse(uri)
        self._context = context or run_context()

    def expand(self, pbegin: PBegin) -> PCollection[StoredKeyset]:
        """Read it once."""
        return pbegin | "Once" >> beam.Create([self._uri]) | "Fetch" >> beam.ParDo(_Fetch(self._context))

    def display_data(self) -> dict[str, Any]:
        """Show where the keyset is kept."""
        return {"keyset": DisplayDataItem(str(self._uri), label="Keyset")}


class _Fetch(beam.DoFn):
    def __init__(self, context: RunContext) -> None:
        self._context = context

    def process(self, uri: KeysetUri) -> Iterator[StoredKeyset]:
        with self._context.reporting_failures():
            yield uri.provider().fetch()
