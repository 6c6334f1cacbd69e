"""The help of each command, made ahead: its parser takes all that the command takes, and that is most of a second.

``python -m manual options`` writes what the parsers say into `FILE`, and a test compares the two. It is laid out here,
for the width of the terminal. Where a variable may change a default, or there is no page, the parser itself answers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from types import SimpleNamespace
from typing import Any

from maskline.pipeline.help_text import HelpFormatter
from maskline.pipeline.program import program_name

FILE = "help_pages.json"


def help_page(words: Sequence[str]) -> str | None:
    """Return the help of a command or an action, or None where there is no page of it.

    Args:
        words: Its name: ``["check"]``, ``["keys", "create"]``.
    """
    pages = json.loads(resources.files("maskline.pipeline").joinpath(FILE).read_text(encoding="utf-8"))
    page = pages.get(" ".join(words))
    return None if page is None else _laid_out(page, " ".join([program_name(), *words]))


def described(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Return what the help of a parser says, as JSON holds it.

    Args:
        parser: The parser, made while no variable of ours was set.
    """
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    return {
        "description": parser.description,
        "arguments": [_described_argument(action) for action in shown],
        "sections": [
            [group.title, group.description, [shown.index(each) for each in group._group_actions if each in shown]]
            for group in parser._action_groups
        ],
        "exclusive": [
            [group.required, [shown.index(each) for each in group._group_actions]]
            for group in parser._mutually_exclusive_groups
        ],
    }


def _described_argument(action: argparse.Action) -> dict[str, Any]:
    actions = action._choices_actions if isinstance(action, argparse._SubParsersAction) else []
    return {
        "option_strings": list(action.option_strings),
        "dest": action.dest,
        "nargs": action.nargs,
        "default": str(action.default) if "%(default)s" in (action.help or "") else None,
        "choices": list(map(str, action.choices)) if action.choices is not None else None,
        "required": action.required,
        "help": action.help,
        "metavar": action.metavar,
        "actions": [[each.dest, each.help] for each in actions],
    }


class _Argument(argparse.Action):
    """An argument that is shown and not parsed."""

    def __init__(self, actions: Sequence[Sequence[str]], **settings: Any) -> None:
        super().__init__(**settings)
        self._actions = [_Argument([], option_strings=[], dest=name, help=text, metavar=name) for name, text in actions]

    def __call__(self, *_: object) -> None:
        raise NotImplementedError

    def _get_subactions(self) -> list[_Argument]:
        """Return what argparse lists below a command's ACTION."""
        return self._actions


def _laid_out(page: Mapping[str, Any], prog: str) -> str:
    """Return the help, in the order in which `argparse.ArgumentParser.format_help` puts its parts."""
    arguments = [_Argument(**argument) for argument in page["arguments"]]
    exclusive = [
        SimpleNamespace(required=required, _group_actions=[arguments[place] for place in places])
        for required, places in page["exclusive"]
    ]
    formatter = HelpFormatter(prog)
    formatter.add_usage(None, arguments, exclusive)  # type: ignore[arg-type]
    formatter.add_text(page["description"])
    for title, description, places in page["sections"]:
        formatter.start_section(title)
        formatter.add_text(description)
        formatter.add_arguments([arguments[place] for place in places])
        formatter.end_section()
    return formatter.format_help()
