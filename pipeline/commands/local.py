"""Try it: an embedded queue and database, sample messages, and the very same job that `run` runs.

Starts PostgreSQL and an SQS API on this machine, makes the queue, the table as its owner made it and a keyset, migrates
the table, sends sample logins and runs the job until the queue is empty. The data stay in --data_directory, and a
second run sends the messages that come next.

With --stream it is a stream of your own: its table is made, and each run sends the messages of --send, or else those
that stand in the definition as [[test]].
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from maskline.pipeline.beam_help import add_beam_help
from maskline.pipeline.garbage_collection import gc_paused
from maskline.pipeline.hidden_packages import UNUSED_BY_A_JOB, hidden_packages
from maskline.pipeline.options import Options

TAKES_BEAM_OPTIONS = True


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add("messages", "how many sample messages to send (%(default)s)", type=int, default=100, metavar="N")
    options.add_stream()
    options.add(
        "send", "messages of your own, all of them in each run: a file as streams draft takes it", metavar="FILE"
    )
    options.add("follow", "keep sending and streaming until Ctrl-C", action="store_true")
    options.add_http()
    options.add("lake", "publish to a data lake, too, and show both copies", action="store_true")
    options.add_data_directory()
    add_beam_help(parser)


def main(arguments: argparse.Namespace, beam_arguments: Sequence[str]) -> int:
    """Start the parts, send, run, show."""
    with gc_paused(), hidden_packages(UNUSED_BY_A_JOB):
        from maskline.pipeline.local.demonstration import demonstrate  # takes Beam, which --help does without
    return demonstrate(arguments, beam_arguments)
