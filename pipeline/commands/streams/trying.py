"""Trying definitions on messages, and on those that stand in them as ``[[test]]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from maskline.pipeline.command_parser import add_action
from maskline.pipeline.commands.streams.samples import add_sources, sample_messages
from maskline.pipeline.options import Options
from maskline.pipeline.printing import counted, echo
from maskline.streams.definition import StreamDefinition
from maskline.streams.stream_files import load_streams, streams_at
from maskline.streams.stream_set import StreamSet
from maskline.streams.suspects import SuspectColumns
from maskline.streams.trial import StreamTrial, Trial, failed_examples, hide_masked

REJECTED_EXIT_CODE = 1
FAILED_EXIT_CODE = 1
MAX_SHOWN = 60
"""How many characters of a value a terminal shows; a pipe gets all, and so does --json."""


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of the command."""
    trying = add_action(
        actions,
        "try",
        "show what becomes of each message, without a database and a keyset; 1 if one is rejected",
        _try,
    )
    _add_files(trying)
    add_sources(trying)
    Options(trying).add("json", "print an object a message, and no summary", action="store_true")
    testing = add_action(actions, "test", "run the [[test]] tables of definitions; 1 if one does not hold", _test)
    _add_files(testing)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a definition, a folder of them, or a stream by name")


def _try(arguments: argparse.Namespace) -> int:
    streams = load_streams(arguments.files)
    messages = sample_messages(arguments, streams.attribute_names)
    trial = StreamTrial(streams)
    by_name = {stream.name: stream for stream in streams.streams}
    rows: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    suspects = _Suspects(streams)
    for number, message in enumerate(messages, start=1):
        tried = trial.try_message(message.body, message.attributes)
        if tried.reason is None:
            rows[tried.stream] += 1
        else:
            rejected[tried.reason] += 1
        found = suspects.found_in(tried)
        if arguments.json:
            suspect_pii = {"suspect_pii": found} if found else {}
            echo(json.dumps({"message": number, **_as_json(tried, by_name), **suspect_pii}))
        else:
            echo(f"{number}: {_in_words(tried, by_name)}")
    if not arguments.json:
        counts = [f"{counted(count, 'row')} of {name}" for name, count in rows.items()]
        counts += [f"{count:,} rejected ({reason})" for reason, count in rejected.most_common()]
        echo(f"{counted(len(messages), 'message')}: {', '.join(counts)}.")
        for sentence in suspects.sentences():
            echo(sentence)
    return REJECTED_EXIT_CODE if rejected else 0


class _Suspects:
    """Counts, by column, the rows in which a column in clear holds what looks like personal data."""

    def __init__(self, streams: StreamSet) -> None:
        self._columns = {stream.name: SuspectColumns(stream) for stream in streams.streams}
        self._rows: Counter[tuple[str, str]] = Counter()
        self._kinds: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def found_in(self, tried: Trial) -> dict[str, list[str]]:
        """Return the columns of a row that do, with what they look like."""
        if tried.row is None:
            return {}
        found = self._columns[tried.stream].found_in(list(tried.row.values()))
        for column, kinds in found.items():
            self._rows[tried.stream, column] += 1
            self._kinds[tried.stream, column] |= kinds
        return {column: sorted(kinds) for column, kinds in found.items()}

    def sentences(self) -> Iterator[str]:
        """Return what to say of each column."""
        for (stream, column), count in self._rows.items():
            kinds = ", ".join(sorted(self._kinds[stream, column]))
            yield (
                f"Column {column} of {stream} is in clear, and looks like personal data in {counted(count, 'row')}: "
                f"{kinds}."
            )


def _as_json(tried: Trial, streams: dict[str, StreamDefinition]) -> dict[str, object]:
    if tried.row is None:
        return {"stream": tried.stream, "rejected": tried.reason, "detail": tried.detail}
    return {"stream": tried.stream, "row": hide_masked(tried.row, streams[tried.stream])}


def _in_words(tried: Trial, streams: dict[str, StreamDefinition]) -> str:
    if tried.row is None:
        return f"rejected, {tried.reason}: {tried.detail}"
    row = hide_masked(tried.row, streams[tried.stream])
    return f"a row of {tried.stream}: " + ", ".join(f"{name} = {_shortened(value)}" for name, value in row.items())


def _shortened(value: object) -> str:
    """Return a value in one line, without anything that a terminal would obey; a long one is cut on a terminal."""
    text = "NULL" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return text if len(text) <= MAX_SHOWN or not sys.stdout.isatty() else f"{text[: MAX_SHOWN - 1]}…"


def _test(arguments: argparse.Namespace) -> int:
    streams = [stream for given in arguments.files for stream in streams_at(given)]
    failures = 0
    for stream in streams:
        for failed in failed_examples(stream):
            failures += 1
            echo(f"{stream.name}: [[test]] {failed.number} {failed.problem}")
    tests = sum(len(stream.examples) for stream in streams)
    if not tests:
        echo(f"There is no [[test]] in {', '.join(arguments.files)}.")
    else:
        echo(f"{tests - failures:,} of {counted(tests, 'test')} hold.")
    return FAILED_EXIT_CODE if failures else 0
