"""List, show and send back rejected messages.

`list` shows why messages were rejected, and none of what is in them. `show` decrypts the body of one, for whoever holds
the keyset, and enters that in pii_access_log first. `requeue` sends the original body back to the queue, once, after
the stream's definition or the table was mended; the message gets a new message id.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Sequence

from rich.console import Console

from maskline.errors import TokenError, UsageError
from maskline.masks.deterministic import Masker
from maskline.pipeline.options import Options, keyset_uri, postgres_dsn, queue_address
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import connect
from maskline.postgres.rejections import RejectedMessage, RejectedMessages
from maskline.records import Reason
from maskline.sqs import SqsQueue
from maskline.streams.definition import load_stream

NOT_DONE_EXIT_CODE = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="show the newest, without their bodies")
    Options(listing).add_postgres()
    listing.add_argument("--reason", choices=[str(reason) for reason in Reason], help="only those of one reason")
    listing.add_argument("--limit", type=int, default=20, help="the most to show (%(default)s)")
    listing.add_argument("--all", action="store_true", help="show those that were sent back, too")
    show = actions.add_parser("show", help="show one with its body in clear")
    show.add_argument("message_id", type=uuid.UUID)
    Options(show).add_postgres()
    Options(show).add_keyset()
    show.add_argument("--reason", required=True, help="why it is needed; it goes into pii_access_log")
    requeue = actions.add_parser("requeue", help="send messages back to the queue")
    requeue.add_argument("message_ids", type=uuid.UUID, nargs="*", metavar="message_id")
    requeue.add_argument("--all", action="store_true", help="send back all of the stream that were not sent back yet")
    Options(requeue).add_postgres()
    Options(requeue).add_keyset()
    Options(requeue).add_queue()
    Options(requeue).add_stream()


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Do what was asked for."""
    rejected = RejectedMessages(connect(postgres_dsn(arguments)))
    console = Console(highlight=False)
    if arguments.action == "list":
        return _list(rejected, arguments, console)
    masker = Masker(keyset_uri(arguments).open())
    if arguments.action == "show":
        return _show(rejected, arguments, masker, console)
    return _requeue(rejected, arguments, masker, console)


def print_rejects(messages: Sequence[RejectedMessage], console: Console) -> None:
    """Print rejected messages, the id of each first in its line, so that it can be copied and searched for."""
    for message in messages:
        state = ", sent back" if message.requeued_at else ""
        head = f"{message.message_id}  {message.sent_at:%F %T} UTC  {message.stream}: {message.reason}{state}"
        console.print(head, markup=False, soft_wrap=True)
        console.print(f"    {message.detail}", markup=False, soft_wrap=True)


def _list(rejected: RejectedMessages, arguments: argparse.Namespace, console: Console) -> int:
    counts = rejected.count_by_reason()
    print_rejects(rejected.newest(arguments.limit, reason=arguments.reason, requeued=arguments.all), console)
    summary = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
    console.print(f"Not sent back: {sum(counts.values()):,}" + (f" ({summary})" if counts else ""))
    return 0


def _show(rejected: RejectedMessages, arguments: argparse.Namespace, masker: Masker, console: Console) -> int:
    found = rejected.find(str(arguments.message_id))
    if found is None:
        raise UsageError(f"message {arguments.message_id}: is not in rejected_messages")
    message, sealed_body = found
    body = masker.unseal_body(sealed_body)
    record_access(
        connect(arguments.postgres),
        action="rejects show",
        stream=message.stream,
        column="body",
        row_count=1,
        reason=arguments.reason,
    )
    print_rejects([message], console)
    print(body.encode("utf-8", "backslashreplace").decode())  # noqa: T201
    return 0


def _requeue(rejected: RejectedMessages, arguments: argparse.Namespace, masker: Masker, console: Console) -> int:
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
