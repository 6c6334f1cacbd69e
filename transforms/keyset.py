"""Reading the keyset where it is needed: on a worker."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection

from maskline.keys import StoredKeyset, keyset_provider
from maskline.transforms.run_context import RunContext, run_context


class ReadKeyset(beam.PTransform):
    """Reads a keyset, as stored, into a PCollection of one `StoredKeyset`, to be taken as a side input.

    It is read when the job runs: the job graph holds the URI and never a key.

    Args:
        uri: Where the keyset is kept; see `maskline.keys.providers`.
        context: The run, which a starter shares with its transforms; see `RunContext`.

    Raises:
        UsageError: The URI names no provider.
    """

    def __init__(self, uri: str, context: RunContext | None = None) -> None:
        super().__init__()
        self._uri = keyset_provider(uri).uri
        self._context = context or run_context()

    def expand(self, pbegin: PBegin) -> PCollection[StoredKeyset]:
        """Read it once."""
        return pbegin | "Once" >> beam.Create([self._uri]) | "Fetch" >> beam.ParDo(_Fetch(self._context))


class _Fetch(beam.DoFn):
    def __init__(self, context: RunContext) -> None:
        self._context = context

    def process(self, uri: str) -> Iterator[StoredKeyset]:
        with self._context.reporting_failures():
            yield keyset_provider(uri).fetch()
