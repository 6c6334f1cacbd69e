"""``--help_beam``: the help of Beam's own options, which a job takes as well; in its own help they would bury ours."""

from __future__ import annotations

import argparse
from typing import Any


def add_beam_help(parser: argparse.ArgumentParser) -> None:
    """Add the option that shows the help of Beam's options.

    Args:
        parser: The parser of a command that runs a job.
    """
    parser.add_argument("--help_beam", action=_BeamHelp, help="show Beam's own options, which are taken, too, and exit")


class _BeamHelp(argparse.Action):
    """Prints Beam's options, and ends the program."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings | {"dest": "help", "default": argparse.SUPPRESS, "nargs": 0})

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from maskline.pipeline.beam_options import format_beam_help  # takes Beam, which --help does without

        print(format_beam_help(), end="")  # noqa: T201
        parser.exit()
