"""The messages that a command looks at: those of a file, or of a queue, which gets them back at once."""

from __future__ import annotations

import argparse
from collections.abc import Collection

from maskline.errors import UsageError
from maskline.pipeline.options import Options, queue_address
from maskline.pipeline.printing import notice
from maskline.sqs import SqsQueue
from maskline.sqs.looking import HELD_SECONDS, look
from maskline.streams.message_file import SampleMessage, load_messages

DEFAULT_LIMIT = 100


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where messages are looked at.

    Args:
        parser: The parser of the action.
    """
    options = Options(parser)
    options.add(
        "messages",
        "messages in a file: a body a line, or what ReceiveMessage answers, `aws sqs receive-message` say",
        metavar="FILE",
    )
    options.add_queue()
    options.add(
        "limit",
        "the most messages to look at in the queue, which has them back at once (%(default)s)",
        type=int,
        default=DEFAULT_LIMIT,
        metavar="N",
    )


def sample_messages(arguments: argparse.Namespace, attribute_names: Collection[str]) -> list[SampleMessage]:
    """Return the messages of the file, if one was given, or of the queue.

    Args:
        arguments: With the options of `add_sources`.
        attribute_names: The message attributes that a queue is asked for.

    Raises:
        UsageError: Neither is given, the file cannot be read, or there is no message.
        QueueError: The queue cannot be looked into.
        QueueUnavailableError: SQS does not answer.
    """
    if arguments.messages:
        return load_messages(arguments.messages)
    if not arguments.queue:
        raise UsageError("messages: missing; give --messages FILE, or --queue, the queue to look into")
    if arguments.limit < 1:
        raise UsageError(f"limit is {arguments.limit}; it must be 1 or more")
    address = queue_address(arguments)
    looked = look(SqsQueue.open(address, attribute_names), arguments.limit)
    if looked.kept:
        notice(f"queue {address}: {looked.kept} of the messages come back only after {HELD_SECONDS} s")
    if looked.max_receives is not None:
        notice(
            f"queue {address}: this look counts as one of {looked.max_receives} times that a message is received "
            "before it goes to the dead-letter queue"
        )
    if not looked.messages:
        raise UsageError(f"queue {address}: gave out no message to look at")
    return [SampleMessage(message.body, dict(message.attributes or {})) for message in looked.messages]
