"""Begin with a stream of your own: a folder with its definition, a test, its parts for this machine and a README.

The definition is drafted from messages, those of a file or of a queue, which has them back at once. No value of theirs
is written; the example in it is made up. Nothing is asked, and nothing that is there is overwritten.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from maskline.drafting.names import identifier
from maskline.drafting.project import project_files, write_project
from maskline.pipeline.commands.streams.drafting import add_draft, described, draft_of
from maskline.pipeline.printing import echo


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        metavar="DIRECTORY",
        help="the folder to make; the stream is called so, unless --name says otherwise (the name of the stream)",
    )
    add_draft(parser)


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Draft, and write the folder."""
    if arguments.directory and not arguments.name:
        arguments.name = identifier(arguments.directory.name)
    name, messages, draft = draft_of(arguments)
    folder = arguments.directory or Path(name)
    files = project_files(draft, name)
    write_project(folder, files)
    echo(f"Made {folder}: {', '.join(sorted(files))}.")
    echo(f"The definition is {described(draft, messages)}.")
    echo(f"Read {folder / name}.toml through, and go on as {folder / 'README.md'} says: cd {shlex.quote(str(folder))}")
    return 0
