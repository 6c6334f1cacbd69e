"""Drafting a definition from messages."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskline.drafting.draft import Draft, draft_definition
from maskline.drafting.names import identifier
from maskline.drafting.records import Wish
from maskline.errors import UsageError
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.commands.streams.samples import add_sources, sample_messages
from maskline.pipeline.options import Options
from maskline.pipeline.printing import notice
from maskline.streams.column_file import is_identifier
from maskline.streams.definition import parse_stream
from maskline.streams.message_file import SampleMessage
from maskline.streams.stream_set import StreamSet
from maskline.streams.trial import StreamTrial

_ALL_ATTRIBUTES = ("All",)


def add_actions(actions: Any) -> None:
    """Add the action to the parser of the command."""
    drafting = add_action(
        actions,
        "draft",
        "write a definition for messages, with no value of theirs in it, to standard output",
        _draft,
    )
    add_draft(drafting)


def add_draft(parser: argparse.ArgumentParser) -> None:
    """Add the options that say from which messages a definition is drafted, and what it is called.

    Args:
        parser: The parser of the command or the action.
    """
    add_sources(parser)
    options = Options(parser)
    options.add("name", "the name of the stream and its table (that of the file, or the queue)", metavar="NAME")
    options.add_repeated(
        "match", "only messages that have this value: of a path, attribute:NAME or envelope:NAME", metavar="FIELD=VALUE"
    )


def draft_of(arguments: argparse.Namespace) -> tuple[str, list[SampleMessage], Draft]:
    """Return the name of a stream, its messages, and the definition drafted from them.

    Args:
        arguments: With the options of `add_draft`.

    Raises:
        UsageError: The name is none, or there is no message, or nothing in them that can be a column.
        MasklineError: The queue cannot be looked into.
    """
    wishes = [Wish.parse(text) for text in arguments.match]
    name = arguments.name or identifier(Path((arguments.messages or arguments.queue or "").rstrip("/")).stem)
    if not is_identifier(name):
        raise UsageError(f"name {name!r}: is not an identifier of lower-case letters, digits and _ (63 at most)")
    messages = sample_messages(arguments, _ALL_ATTRIBUTES)
    return name, messages, draft_definition(messages, name, wishes)


def described(draft: Draft, messages: Sequence[SampleMessage]) -> str:
    """Return in words what was drafted, and what trying it on its own messages showed.

    Args:
        draft: The definition.
        messages: What it was drafted from.
    """
    return f"{_in_words(draft)}; {_tried(draft, messages)}"


def _draft(arguments: argparse.Namespace) -> int:
    _, messages, draft = draft_of(arguments)
    print(draft.text, end="")  # noqa: T201
    notice(described(draft, messages))
    return 0


def _in_words(draft: Draft) -> str:
    others = f", and without {draft.others:,}, of which it says why" if draft.others else ""
    columns = f"{draft.columns:,} columns, {draft.personal:,} of them masked"
    return f"drafted {columns}, from {draft.described:,} messages{others}"


def _tried(draft: Draft, messages: Sequence[SampleMessage]) -> str:
    """Return what trying the draft on its own messages showed."""
    trial = StreamTrial(StreamSet((parse_stream(draft.text, "drafted"),)))
    rows = sum(trial.try_message(message.body, message.attributes).row is not None for message in messages)
    return f"tried, {rows:,} of {len(messages):,} become rows"
