"""Make what README.md and docs/ show of the code and of a run: ``python -m manual graph|options|recording``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from manual import graph, options_page, recording

COMMANDS: dict[str, Callable[[], None]] = {
    "graph": graph.draw,
    "options": options_page.write,
    "recording": recording.record,
}


def main(arguments: Sequence[str]) -> int:
    """Run commands.

    Args:
        arguments: Their names; all that need no run of the job where there are none.

    Returns:
        The exit code.
    """
    unknown = set(arguments) - COMMANDS.keys()
    if unknown:
        print(f"usage: python -m manual [{'|'.join(COMMANDS)}]...", file=sys.stderr)  # noqa: T201
        return 2
    for name in arguments or ("graph", "options"):
        COMMANDS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
