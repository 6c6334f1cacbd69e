"""Reading the definitions of the streams that share a queue, from files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maskline.errors import StreamDefinitionError
from maskline.streams.definition import load_stream
from maskline.streams.stream import StreamDefinition
from maskline.streams.stream_set import StreamSet


def load_streams(names_or_paths: Sequence[str]) -> StreamSet:
    """Read and check the definitions of one queue, in the order in which they are to be tried.

    Args:
        names_or_paths: What `load_stream` takes, or folders. A folder stands for the ``.toml`` files in it, by name,
            the one without a ``[match]`` last: it takes what the others do not.

    Raises:
        StreamDefinitionError: One is not a sound definition, or cannot stand beside the others.
    """
    return StreamSet(tuple(stream for given in names_or_paths for stream in streams_at(given)))


def streams_at(given: str) -> list[StreamDefinition]:
    """Read and check the definitions at one place.

    Args:
        given: What `load_stream` takes, or a folder, which stands for the ``.toml`` files in it.

    Raises:
        StreamDefinitionError: One is not a sound definition, or there is none.
    """
    folder = Path(given)
    if not folder.is_dir():
        return [load_stream(given)]
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise StreamDefinitionError(f"stream {given}: the folder holds no .toml file")
    return sorted(map(load_stream, map(str, files)), key=lambda stream: not stream.conditions)
