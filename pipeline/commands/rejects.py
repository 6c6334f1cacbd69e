"""List, show and send back rejected messages.

`list` shows why messages were rejected, and none of what is in them. `show` decrypts the body of one, for whoever holds
the keyset, and enters that in pii_access_log first. `requeue` sends the original body back to the queue, once, after
the stream's definition or the table was corrected; the message gets a new message id.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Sequence

from rich.console import Console

from maskline.errors import TokenError, UsageError
from maskline.masks.deterministic import Masker
from maskline.pipeline.command_parser import add_action, add_actions, run_action
from maskline.pipeline.options import Options, keyset_uri, postgres_dsn, queue_address
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import connect
from maskline.postgres.rejections import RejectedMessage, RejectedMessages
from maskline.records import Reason
from maskline.sqs import SqsQueue
from maskline.streams.definition import load_stream

NOT_DONE_EXIT_CODE = 1


main = run_action


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its options."""
    actions = add_actions(parser)
    listing = add_action(actions, "list", "show the newest, without their bodies", _list)
    show = add_action(actions, "show", "show one with its body in clear", _show)
    requeue = add_action(actions, "requeue", "send messages back to the queue", _requeue)
    for action in (listing, show, requeue):
        Options(action).add_postgres()
    for action in (show, requeue):
        Options(action).add_keyset()
    options = Options(listing)
    options.add(
        "rejection_reason",
        "only those that were rejected for one reason",
        former="reason",
        choices=[str(reason) for reason in Reason],
    )
    options.add("limit", "the most to show (%(default)s)", type=int, default=20, metavar="N")
    options.add("all", "show those that were sent back, too", action="store_true")
    show.add_argument("message_id", type=uuid.UUID, metavar="MESSAGE_ID")
    Options(show).add("reason", "why it is needed; it goes into pii_access_log", required=True, metavar="TEXT")
    requeue.add_argument("message_ids", type=uuid.UUID, nargs="*", metavar="MESSAGE_ID")
    options = Options(requeue)
    options.add("all", "send back all of the stream that were not sent back yet", action="store_true")
    options.add_queue()
    options.add_stream()


def print_rejects(messages: Sequence[RejectedMessage], console: Console) -> None:
    """Print rejected messages, the id of each first in its line, so that it can be copied and searched for."""
    for message in messages:
        state = ", sent back" if message.requeued_at else ""
        head = f"{message.message_id}  {message.sent_at:%F %T} UTC  {message.stream}: {message.reason}{state}"
        console.print(head, markup=False, soft_wrap=True)
        console.print(f"    {message.detail}", markup=False, soft_wrap=True)


def _rejected(arguments: argparse.Namespace) -> RejectedMessages:
    return RejectedMessages(connect(postgres_dsn(arguments)))


def _masker(arguments: argparse.Namespace) -> Masker:
    return Masker(keyset_uri(arguments).open())


def _list(arguments: argparse.Namespace) -> int:
    rejected, console = _rejected(arguments), Console(highlight=False)
    counts = rejected.count_by_reason()
    print_rejects(rejected.newest(arguments.limit, reason=arguments.rejection_reason, requeued=arguments.all), console)
    summary = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
    console.print(f"Not sent back: {sum(counts.values()):,}" + (f" ({summary})" if counts else ""))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    rejected, masker = _rejected(arguments), _masker(arguments)
    found = rejected.find(str(arguments.message_id))
    if found is None:
        raise UsageError(f"message {arguments.message_id}: is not in rejected_messages")
    message, sealed_body = found
    body = masker.unseal_body(sealed_body)
    record_access(
        connect(postgres_dsn(arguments)),
        action="rejects show",
        stream=message.stream,
        column="body",
        row_count=1,
        reason=arguments.reason,
    )
    print_rejects([message], Console(highlight=False))
    print(body.encode("utf-8", "backslashreplace").decode())  # noqa: T201
    return 0


def _requeue(arguments: argparse.Namespace) -> int:
    rejected, masker, console = _rejected(arguments), _masker(arguments), Console(highlight=False)
    if bool(arguments.message_ids) == arguments.all:
        raise UsageError("message_id: name the messages to send back, or say --all")
    stream = load_stream(arguments.stream).name
    queue = SqsQueue.open(queue_address(arguments))
    message_ids = list(map(str, arguments.message_ids)) or rejected.waiting(stream)
    done = 0
    for message_id in message_ids:
        with rejected.requeuing(message_id, stream) as requeue:
            if requeue is None:
                console.print(
                    f"{message_id}: is not a rejected message of {stream}, or was sent back before", soft_wrap=True
                )
                continue
            try:
                body = masker.unseal_body(requeue.sealed_body)
            except TokenError as error:
                console.print(f"{message_id}: {error}", soft_wrap=True)
                continue
            requeue.sent_as(queue.send([body]))
            done += 1
    console.print(f"Sent back {done:,} of {len(message_ids):,} messages.")
    return 0 if done == len(message_ids) else NOT_DONE_EXIT_CODE
