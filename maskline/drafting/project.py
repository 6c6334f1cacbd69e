"""A folder to begin a stream of one's own with: its definition, a test, the parts for this machine, a README.

The files are made from those in ``project``, which stand there as they will be read.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

import msgspec

from maskline.drafting.draft import Draft
from maskline.drafting.example import example_as_toml, example_message
from maskline.errors import UsageError
from maskline.streams.definition import StreamDefinition, parse_stream

_EXECUTABLE = 0o755
_TEMPLATE = ".template"
_ABOVE_THE_EXAMPLE = "# A message made up from the columns above, with nobody's values, and the row that it becomes."


class ProjectFile(msgspec.Struct, frozen=True):
    """One file of a project.

    Attributes:
        text: What is in it.
        is_executable: Whether it is a program.
    """

    text: str
    is_executable: bool = False


def project_files(draft: Draft, name: str) -> dict[str, ProjectFile]:
    """Return the files of a project by their names.

    *Guarantee*: none holds a value of the messages that the draft was made from; the example in them is made up.

    Args:
        draft: The drafted definition.
        name: The name of the stream.

    Raises:
        UsageError: No example can be made up for the definition.
    """
    stream = parse_stream(draft.text, f"{name}.toml")
    example = example_as_toml(stream, example_message(stream))
    words = {
        "name": name,
        "table": stream.table,
        "messages": f"{draft.described:,} message{'' if draft.described == 1 else 's'}",
        "masked": ", ".join(f"`{each.name}`" for each in stream.masked_columns) or "none",
        "recover": _recovery(stream),
    }
    files = {f"{name}.toml": ProjectFile(f"{draft.text}\n{_ABOVE_THE_EXAMPLE}\n{example}")}
    for entry in resources.files(f"{__package__}.project_files").iterdir():
        if entry.name.endswith(_TEMPLATE):
            written = entry.name.removesuffix(_TEMPLATE).replace("NAME", name).replace("DOT", ".")
            text = Template(entry.read_text(encoding="utf-8")).substitute(words)
            files[written] = ProjectFile(text, is_executable=written.endswith(".sh"))
    return files


def _recovery(stream: StreamDefinition) -> str:
    """Return the command that recovers values, or one that lists keys where there are none to recover."""
    if not stream.reversible_columns:
        return "maskline keys list --keyset file:keyset.json"
    column = stream.reversible_columns[0].name
    return (
        f'maskline unmask --stream {stream.name}.toml --column {column} --reason "trying it out" '
        "--keyset file:keyset.json"
    )


def write_project(folder: Path, files: Mapping[str, ProjectFile]) -> None:
    """Write a project: all of its files, or none.

    Args:
        folder: Where to; it must not be there yet, or be empty.
        files: The files by their names.

    Raises:
        UsageError: The folder holds something, or cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "holds files already" if folder.is_dir() else "is a file"
            raise UsageError(f"directory {folder}: {what}, and nothing is overwritten; name a new one")
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name, file in files.items():
                (beside / name).write_text(file.text, encoding="utf-8")
                if file.is_executable:
                    (beside / name).chmod(_EXECUTABLE)
            beside.chmod(_EXECUTABLE)
            beside.rename(folder)  # takes the place of an empty one, and of no other
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"directory {folder}: cannot be written ({error.strerror}); name another one") from None
