"""The page of every command's options, docs/options.md, from their parsers. A test holds it against them."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from unittest import mock

from manual.pictures import PROJECT
from maskline.pipeline.cli import COMMAND_GROUPS, COMMANDS
from maskline.pipeline.command_parser import CommandParser, open_command
from maskline.pipeline.help_pages import FILE, described
from maskline.pipeline.options import VARIABLE_PREFIX, Options

PAGE = PROJECT / "docs" / "options.md"
HELP_PAGES = PROJECT / "pipeline" / FILE
SHARED_BY = 3
"""By how many commands, or actions of one, an option is taken with one meaning to be described once for all of them."""

HEAD = """\
# Commands and options

What this page answers: which commands there are, what each option means, and what it is by default. It is made from
the code by `python -m manual options`; `maskline COMMAND --help` says the same, and for those that run
a job `--help_beam` shows Beam's own options.

* Every option can be given by an environment variable: `MASKLINE_POSTGRES` for `--postgres`. The command line goes
  first; an empty variable is as good as none.
* Dashes are as good as underscores (`--until-empty`). An option, command or variable that is not known is told with the
  nearest one that is.
* What a command's end means is in [its exit code](operations.md#exit-codes).
"""


def write() -> None:
    """Write the page, and what the help of each command says."""
    PAGE.write_text(page(), encoding="utf-8")
    HELP_PAGES.write_text(help_pages(), encoding="utf-8")


def help_pages() -> str:
    """Return what the help of each command and of each of its actions says, whatever variables are set."""
    pages = {}
    with _without_our_variables():
        for name in COMMANDS:
            parser = _parser_of(name)
            pages[name] = described(parser)
            for action in parser._actions:
                if isinstance(action, argparse._SubParsersAction):
                    pages |= {f"{name} {inner}": described(each) for inner, each in action.choices.items()}
    return json.dumps(pages, ensure_ascii=False, separators=(",", ":")).replace('},"', '},\n"') + "\n"


def _without_our_variables() -> contextlib.AbstractContextManager[object]:
    without_ours = {name: value for name, value in os.environ.items() if not name.startswith(VARIABLE_PREFIX)}
    return mock.patch.dict(os.environ, without_ours, clear=True)


def _parser_of(name: str) -> CommandParser:
    command, parser = open_command("maskline.pipeline", "maskline", name, COMMANDS)
    Options(parser).add_log_level()
    command.add_options(parser)
    return parser


def page() -> str:
    """Return the page as Markdown, whatever variables are set."""
    with _without_our_variables():
        parsers = {name: list(_actions_of(name)) for name in COMMANDS}
    taken = Counter(_row(option) for actions in parsers.values() for _, _, options in actions for option in options)
    shared = {row for row, times in taken.items() if times >= SHARED_BY}
    parts = [HEAD, "## Shared options", "\n".join([*_table_head(), *sorted(shared)])]
    for group, commands in COMMAND_GROUPS.items():
        parts.append(f"## {group}")
        for name in commands:
            parts += _command(name, parsers[name], shared)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _command(name: str, actions: list[tuple[str, str, list[argparse.Action]]], shared: set[str]) -> Iterator[str]:
    """Return the parts of a command: its summary, and of it or of each of its actions the options."""
    yield f"### `{name}`"
    yield f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}."
    for action, summary, options in actions:
        if action:
            yield f"**`{name} {action}`** {summary}"
        rows = [_row(option) for option in options]
        own = [row for row in rows if row not in shared]
        if own:
            yield "\n".join([*_table_head(), *own])
        others = [f"`{option.option_strings[0]}`" for option, row in zip(options, rows, strict=True) if row in shared]
        if others:
            yield f"Shared: {', '.join(others)}"


def _actions_of(name: str) -> Iterator[tuple[str, str, list[argparse.Action]]]:
    """Return of each action of a command the name with its operands, the summary, and the options.

    A command without actions has one, without a name.
    """
    parser = _parser_of(name)
    actions = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            actions += [
                (" ".join([inner, *_operands(each)]), f"{summaries[inner]}.", _options(each))
                for inner, each in action.choices.items()
            ]
    yield from actions or [("", "", _options(parser))]


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [
        action
        for action in parser._actions
        if action.option_strings and action.dest != "help" and action.help != argparse.SUPPRESS
    ]


def _operands(parser: argparse.ArgumentParser) -> list[str]:
    return [
        f"[{action.metavar or action.dest.upper()}]"
        if action.nargs in ("?", "*")
        else f"{action.metavar or action.dest}"
        for action in parser._actions
        if not action.option_strings
    ]


def _row(option: argparse.Action) -> str:
    meaning = argparse.HelpFormatter("maskline")._expand_help(option)
    meaning = re.sub(r"\s*\[MASKLINE_\w+\]$", "", " ".join(meaning.split()))
    usage, choices = option.option_strings[0], list(map(str, option.choices or ()))
    if option.nargs != 0:
        usage += f" {option.metavar or '|'.join(choices) or option.dest.upper()}"
    return f"| `{_escaped(usage)}` | {_escaped(meaning)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _table_head() -> tuple[str, str]:
    return "| option | meaning |", "|---|---|"
