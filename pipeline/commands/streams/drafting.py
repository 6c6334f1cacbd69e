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
    add_sources(drafting)
    options = Options(drafting)
    options.add("name", "the name of the stream and its table (that of the file, or the queue)", metavar="NAME")
    options.add_repeated(
        "match", "only messages that have this value: of a path, attribute:NAME or envelope:NAME", metavar="FIELD=VALUE"
    )


def _draft(arguments: argparse.Namespace) -> int:
    wishes = [Wish.parse(text) for text in arguments.match]
    name = arguments.name or identifier(Path((arguments.messages or arguments.queue or "").rstrip("/")).stem)
    if not is_identifier(name):
        raise UsageError(f"name {name!r}: is not an identifier of lower-case letters, digits and _ (63 at most)")
    messages = sample_messages(arguments, _ALL_ATTRIBUTES)
    draft = draft_definition(messages, name, wishes)
    print(draft.text, end="")  # noqa: T201
    notice(f"{_in_words(draft)}; {_tried(draft, messages)}")
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
