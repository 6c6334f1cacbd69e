"""Reading the keyset where it is needed: on a worker."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection

from maskline.keys import StoredKeyset, keyset_provider
from maskline.transforms.control import CONTROL


class ReadKeyset(beam.PTransform):
    """Reads a keyset, as stored, into a PCollection of one `StoredKeyset`, to be taken as a side input.

    It is read when the job runs: the job graph holds the URI and never a key.

    Args:
        uri: Where the keyset is kept; see `maskline.keys.providers`.

    Raises:
        UsageError: The URI names no provider.
    """

    def __init__(self, uri: str) -> None:
        super().__init__()
        self._uri = keyset_provider(uri).uri

    def expand(self, pbegin: PBegin) -> PCollection[StoredKeyset]:
        """Read it once."""
        return pbegin | "Once" >> beam.Create([self._uri]) | "Fetch" >> beam.ParDo(_Fetch())


class _Fetch(beam.DoFn):
    def process(self, uri: str) -> Iterator[StoredKeyset]:
        with CONTROL.reporting_failures():
            yield keyset_provider(uri).fetch()
