"""Grouping elements into micro-batches without a shuffle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.display import DisplayDataItem
from apache_beam.transforms.window import BoundedWindow, GlobalWindow, GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from maskline.errors import ArgumentError

_GLOBAL_WINDOW = GlobalWindow()

T = TypeVar("T")


class MicroBatch(beam.PTransform, Generic[T]):
    """Groups the elements of a bundle into lists of up to `size`; what is left goes out when the bundle ends.

    Elements of different windows are never grouped. Nothing is kept between bundles, so it needs no state, no timer
    and no shuffle, works alike on every runner, and never holds an element back for longer than its bundle.

    Beam's own ``BatchElements`` does the same with a size it learns; it logs a line a bundle, and this one's size is
    a promise.

    Args:
        size: The most elements of a micro-batch, 1 or more.

    Raises:
        ArgumentError: `size` is not positive.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ArgumentError(f"size is {size}; it must be 1 or more")
        self._size = size

    def expand(self, elements: PCollection[T]) -> PCollection[list[T]]:
        """Group the elements."""
        is_one_window = isinstance(elements.windowing.windowfn, GlobalWindows)
        group = _GroupOfOneWindow(self._size) if is_one_window else _Group(self._size)
        return elements | "Within the bundle" >> beam.ParDo(group).with_output_types(list[elements.element_type])

    def display_data(self) -> dict[str, Any]:
        """Show the size."""
        return {"size": DisplayDataItem(self._size, label="Micro-batch size")}


class _Group(beam.DoFn):
    def __init__(self, size: int) -> None:
        self._size = size

    def start_bundle(self) -> None:
        self._batches: dict[BoundedWindow, list[Any]] = {}

    def process(self, element: Any, window: BoundedWindow = beam.DoFn.WindowParam) -> Iterator[list[Any]]:
        batch = self._batches.setdefault(window, [])
        batch.append(element)
        if len(batch) == self._size:
            yield self._batches.pop(window)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for window, batch in self._batches.items():
            yield WindowedValue(batch, window.max_timestamp(), (window,))
        self._batches = {}


class _GroupOfOneWindow(beam.DoFn):
    """Groups where there is the global window alone.

    Not to ask Beam for each element's window saves 3 µs an element, not to look it up and to be no generator one more.
    """

    def __init__(self, size: int) -> None:
        self._size = size

    def start_bundle(self) -> None:
        self._batch: list[Any] = []

    def process(self, element: Any) -> tuple[list[Any], ...]:
        batch = self._batch
        batch.append(element)
        if len(batch) < self._size:
            return ()
        self._batch = []
        return (batch,)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        batch, self._batch = self._batch, []
        if batch:
            yield WindowedValue(batch, _GLOBAL_WINDOW.max_timestamp(), (_GLOBAL_WINDOW,))
