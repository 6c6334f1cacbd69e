"""The recorded terminal of README.md: `./run_local.sh` is run, and what it prints becomes a picture.

Only the end is left out, the commands to try next: they name places of the machine that ran it.
"""

from __future__ import annotations

import io
import os
import pty
import subprocess
import termios

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from manual.pictures import MONOSPACE, PALETTES, PICTURES, PROJECT, Palette

COMMAND = "./run_local.sh"
WIDTH = 100
"""Of the terminal, in characters."""

NEXT_STEPS = "What to try next"
TIMEOUT_SECONDS = 600
RECORDED = PICTURES / "first-run.ansi"
"""What was printed, with its colors: the pictures are drawn from it."""

SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {terminal_height}" role="img"
aria-label="What run_local.sh prints">
<style>
.{unique_id}-matrix {{ font-family: MONOSPACE; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<rect fill="BACKGROUND" width="{terminal_width}" height="{terminal_height}" rx="8"/>
<g transform="translate({terminal_x}, 18)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""rich's own picture without its web font, its frame and its title."""


class RecordingError(Exception):
    """The run that was to be recorded cannot be made, or failed."""


def record() -> None:
    """Run the command in a terminal of its own, keep what it prints, and draw it.

    Raises:
        RecordingError: There are data of earlier runs, which would show, or the run failed.
    """
    if (PROJECT / ".maskline").exists():
        raise RecordingError(".maskline: the recording is of a first run; move the data of earlier ones away")
    printed = _printed_by(COMMAND)
    shown = printed.partition(NEXT_STEPS)[0].replace(str(PROJECT), "~/maskline").rstrip()
    lines = [f"\x1b[1m$ {COMMAND}\x1b[0m", *(line.rstrip() for line in shown.split("\n"))]
    PICTURES.mkdir(exist_ok=True)
    RECORDED.write_text("\n".join(lines) + "\n", encoding="utf-8")
    draw()


def draw() -> None:
    """Draw what was recorded, light and dark."""
    for palette in PALETTES:
        palette.path("first-run").write_text(picture(RECORDED.read_text(encoding="utf-8"), palette), encoding="utf-8")


def picture(recorded: str, palette: Palette) -> str:
    """Return the picture of what was printed, as SVG.

    Args:
        recorded: What was printed, with its ANSI sequences.
        palette: The colors of text and background.
    """
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(recorded.rstrip("\n")), soft_wrap=True)
    console.print()  # the frame is one line too short for what stands below its margin
    template = SVG.replace("MONOSPACE", MONOSPACE).replace("BACKGROUND", palette.box)
    return console.export_svg(theme=_theme(palette), code_format=template, unique_id="terminal", title="")


def _printed_by(command: str) -> str:
    terminal, its_end = pty.openpty()
    termios.tcsetwinsize(its_end, (50, WIDTH))
    # Progress and logs go to standard error, and are no part of what stays on the screen.
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    running = subprocess.Popen(  # noqa: S603 - a script of ours
        [command],
        cwd=PROJECT,
        env=environment | {"TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=its_end,
        stderr=subprocess.PIPE,
    )
    os.close(its_end)
    printed = bytearray()
    try:
        while some := os.read(terminal, 65536):
            printed += some
    except OSError:
        pass  # how Linux says that nobody has the other end open any more
    finally:
        os.close(terminal)
    _, errors = running.communicate(timeout=TIMEOUT_SECONDS)
    if running.returncode != 0:
        raise RecordingError(f"{command} ended with {running.returncode}: {errors.decode()[-1000:]}")
    return printed.decode().replace("\r\n", "\n")


def _theme(palette: Palette) -> TerminalTheme:
    normal = [palette.text, palette.clear, "#1a7f37", "#9a6700", "#0969da", "#8250df", palette.tokens, palette.text]
    return TerminalTheme(_rgb(palette.box), _rgb(palette.text), list(map(_rgb, normal)), list(map(_rgb, normal)))


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
