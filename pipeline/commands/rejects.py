"""List, show, send back and delete rejected messages.

`list` shows why messages were rejected, and none of what is in them. `show` decrypts the body of one, for whoever holds
the keyset. `requeue` sends the original body back to the queue that it came from, once, after the stream's definition
or the table was corrected; the message gets a new message id. Both are entered in pii_access_log first, with the
reason. `purge` deletes old ones for good, and enters how many.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import uuid
from collections.abc import Sequence

import msgspec
from rich.console import Console

from maskline.errors import TokenError, UsageError
from maskline.masks.deterministic import Masker
from maskline.pipeline.ages import parse_age
from maskline.pipeline.command_parser import add_action, add_actions, run_action
from maskline.pipeline.harmless_text import visible
from maskline.pipeline.options import Options, keyset_uri, naming_options, postgres_dsn
from maskline.pipeline.row_output import add_formats, add_raw, row_printer
from maskline.pipeline.screen import open_screen
from maskline.postgres.access_log import check_reason, record_access
from maskline.postgres.connection import connect
from maskline.postgres.rejections import RejectedMessage, RejectedMessages, WaitingRejection
from maskline.records import Reason
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.failures import BodyRefusedError
from maskline.streams.definition import load_stream
from maskline.streams.kept_message import kept_message

NOT_DONE_EXIT_CODE = 1

main = run_action


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its options."""
    actions = add_actions(parser)
    listing = add_action(actions, "list", "show the newest, without their bodies", _list)
    show = add_action(actions, "show", "show one with its body in clear", _show)
    requeue = add_action(actions, "requeue", "send messages back to the queue that they came from", _requeue)
    purge = add_action(actions, "purge", "delete old ones for good, sent back or not", _purge)
    for action in (listing, show, requeue, purge):
        Options(action).add_postgres()
    for action in (show, requeue):
        Options(action).add_keyset()
    for action in (show, requeue):
        Options(action).add("reason", "why it is needed; it goes into pii_access_log", required=True, metavar="TEXT")
    for action in (listing, purge):
        Options(action).add("stream", "only those of one stream, by its name or its .toml", metavar="NAME|FILE")
    options = Options(listing)
    options.add(
        "rejection_reason",
        f"only those that were rejected for one reason: {', '.join(Reason)}",
        former="reason",
        choices=[str(reason) for reason in Reason],
        metavar="REASON",
    )
    options.add("limit", "the most to show (%(default)s)", type=int, default=20, metavar="N")
    options.add("all", "show those that were sent back, too", action="store_true")
    add_formats(listing)
    add_raw(show)
    show.add_argument("message_id", type=uuid.UUID, metavar="MESSAGE_ID")
    requeue.add_argument("message_ids", type=uuid.UUID, nargs="*", metavar="MESSAGE_ID")
    options = Options(requeue)
    options.add("all", "send back all that were not sent back yet", action="store_true")
    options.add_queue("send all of them to this SQS queue, by URL or name (each goes back to where it came from)")
    options.add_streams("only those of this stream, with - those that no stream took")
    options = Options(purge)
    options.add("older_than", "how long ago they were rejected at least: 90d, 36h or 4w", required=True, metavar="AGE")
    options.add("reason", "why; it goes into pii_access_log (not asked for by --dry_run)", default="", metavar="TEXT")
    options.add("dry_run", "only say how many they are", action="store_true")


def print_rejects(messages: Sequence[RejectedMessage], console: Console) -> None:
    """Print rejected messages, the id of each first in its line, so that it can be copied and searched for."""
    for message in messages:
        state = ", sent back" if message.requeued_at else ""
        head = f"{message.message_id}  {message.sent_at:%F %T} UTC  {message.stream}: {message.reason}{state}"
        console.print(visible(head), markup=False, soft_wrap=True)
        console.print(f"    {visible(message.detail)}", markup=False, soft_wrap=True)


def _rejected(arguments: argparse.Namespace) -> RejectedMessages:
    return RejectedMessages(connect(postgres_dsn(arguments)))


def _masker(arguments: argparse.Namespace) -> Masker:
    return Masker(keyset_uri(arguments).open())


def _stream_name(arguments: argparse.Namespace) -> str | None:
    stream: str | None = arguments.stream
    return stream and _name_of(stream)


def _name_of(stream: str) -> str:
    """Return the name of a stream; what no stream took is kept under a name of which there is no definition."""
    return load_stream(stream).name if stream.endswith(".toml") else stream


def _list(arguments: argparse.Namespace) -> int:
    rejected, console = _rejected(arguments), open_screen()
    stream = _stream_name(arguments)
    newest = rejected.newest(arguments.limit, stream=stream, reason=arguments.rejection_reason, requeued=arguments.all)
    if arguments.json or arguments.csv:
        print_row = row_printer(RejectedMessage.__struct_fields__, as_json=arguments.json, raw=arguments.raw)
        for message in newest:
            print_row(msgspec.structs.astuple(message))
        return 0
    counts = rejected.count_by_reason(stream)
    print_rejects(newest, console)
    summary = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
    console.print(f"Not sent back: {sum(counts.values()):,}" + (f" ({summary})" if counts else ""))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    check_reason(arguments.reason)
    rejected, masker = _rejected(arguments), _masker(arguments)
    found = rejected.find(str(arguments.message_id))
    if found is None:
        raise UsageError(f"message {arguments.message_id}: is not in rejected_messages")
    message, sealed_body = found
    kept = kept_message(masker.unseal_body(sealed_body, message.stream, message.message_id))
    _record(arguments, "rejects show", message.stream, 1, f"message_id = '{message.message_id}'")
    print_rejects([message], open_screen())
    for name, attribute in sorted((kept.attributes or {}).items()):
        _print_clear(f"    attribute {name}: {attribute}", arguments)
    _print_clear(kept.body, arguments)
    return 0


def _print_clear(text: str, arguments: argparse.Namespace) -> None:
    shown = text if arguments.raw or not sys.stdout.isatty() else visible(text, one_line=False)
    print(shown.encode("utf-8", "backslashreplace").decode())  # noqa: T201


def _requeue(arguments: argparse.Namespace) -> int:
    if bool(arguments.message_ids) == arguments.all:
        raise UsageError("message_id: name the messages to send back, or say --all")
    check_reason(arguments.reason)
    rejected, masker, console = _rejected(arguments), _masker(arguments), open_screen()
    streams = [_name_of(stream) for stream in arguments.stream]
    asked = list(dict.fromkeys(map(str, arguments.message_ids)))
    waiting = rejected.waiting(streams or None, asked or None)
    found = {each.message_id for each in waiting}
    for message_id in asked:
        if message_id not in found:
            _say_it_is_not_there(message_id, streams, console)
    done = 0
    for (address, stream), message_ids in _by_queue_and_stream(arguments, waiting).items():
        queue = SqsQueue.open(address)
        _record(arguments, "rejects requeue", stream, len(message_ids), f"to queue {queue.url}")
        done += sum(_send_back(message_id, rejected, stream, masker, queue, console) for message_id in message_ids)
    wanted = len(asked or waiting)
    console.print(f"Sent back {done:,} of {wanted:,} messages.")
    return 0 if done == wanted else NOT_DONE_EXIT_CODE


def _by_queue_and_stream(
    arguments: argparse.Namespace, waiting: Sequence[WaitingRejection]
) -> dict[tuple[QueueAddress, str], list[str]]:
    """Return the messages by stream and queue that they go back to: the one named, or else where they came from."""
    message_ids: dict[tuple[QueueAddress, str], list[str]] = {}
    for each in waiting:
        queue = arguments.queue or each.queue
        if not queue:
            raise UsageError(
                f"queue: missing; nothing says which queue message {each.message_id} came from, for an earlier version "
                "rejected it: name the queue with --queue"
            )
        with naming_options(endpoint="queue_endpoint"):
            address = QueueAddress(
                queue,
                arguments.queue_endpoint or None,
                allow_plaintext_endpoint=arguments.allow_plaintext_endpoint,
            )
        message_ids.setdefault((address, each.stream), []).append(each.message_id)
    return message_ids


def _send_back(
    message_id: str, rejected: RejectedMessages, stream: str, masker: Masker, queue: SqsQueue, console: Console
) -> bool:
    """Send one back and say whether it was sent; what stands in the way of this one alone is printed."""
    try:
        with rejected.requeuing(message_id, stream) as requeue:
            if requeue is None:
                _say_it_is_not_there(message_id, [stream], console)
                return False
            kept = kept_message(masker.unseal_body(requeue.sealed_body, stream, message_id))
            # In a FIFO queue, a second try after a crash is the same message.
            sent = msgspec.structs.replace(kept, deduplication_id=message_id)
            requeue.sent_as(queue.send([sent]))
    except (TokenError, BodyRefusedError) as error:
        console.print(f"{message_id}: {error}", markup=False, soft_wrap=True)
        return False
    return True


def _say_it_is_not_there(message_id: str, streams: Sequence[str], console: Console) -> None:
    of_streams = f" of {' or '.join(streams)}" if streams else ""
    console.print(f"{message_id}: is not a rejected message{of_streams}, or was sent back before", soft_wrap=True)


def _purge(arguments: argparse.Namespace) -> int:
    age = parse_age(arguments.older_than)
    if not arguments.dry_run:
        check_reason(arguments.reason)
    rejected, stream = _rejected(arguments), _stream_name(arguments)
    old = rejected.count_older_than(age, stream)
    waiting = f"; never sent back: {old.waiting:,}" if old.waiting else ""
    if arguments.dry_run:
        print(f"{old.count:,} rejected messages would go{waiting}.")  # noqa: T201
        return 0
    _record(
        arguments,
        "rejects purge",
        stream or "all streams",
        old.count,
        f"rejected_at < '{old.before.isoformat()}'",
    )
    print(f"{rejected.delete_before(old.before, stream):,} rejected messages deleted{waiting}.")  # noqa: T201
    return 0


def _record(arguments: argparse.Namespace, action: str, stream: str, row_count: int, condition: str) -> None:
    with contextlib.closing(connect(postgres_dsn(arguments))) as connection:
        record_access(
            connection,
            action=action,
            stream=stream,
            column="body",
            row_count=row_count,
            reason=arguments.reason,
            condition=condition,
        )
