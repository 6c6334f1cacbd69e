"""Where the pictures of README.md lie, and the colors that they share: a light and a dark one of each.

Fonts are those of whoever looks: a picture that fetches nothing is shown on GitHub, in an editor and without a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PICTURES = PROJECT / "docs" / "pictures"
SANS = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
MONOSPACE = "ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace"


@dataclass(frozen=True)
class Palette:
    """The colors of a picture, on GitHub's background of the same name.

    Attributes:
        name: ``light`` or ``dark``.
        background: What the picture stands on.
        text: Of labels.
        muted: Of what is said beside them, and of lines.
        border: Of boxes.
        box: What fills them.
        clear: Where personal data are in clear.
        clear_box: What fills boxes there.
        tokens: Where there are only tokens.
    """

    name: str
    background: str
    text: str
    muted: str
    border: str
    box: str
    clear: str
    clear_box: str
    tokens: str

    def path(self, picture: str) -> Path:
        """Return the file of a picture in these colors."""
        return PICTURES / f"{picture}-{self.name}.svg"


LIGHT = Palette("light", "#ffffff", "#1f2328", "#59636e", "#818b98", "#f6f8fa", "#c4432b", "#fff1ed", "#0a7285")
DARK = Palette("dark", "#0d1117", "#f0f6fc", "#9198a1", "#656c76", "#151b23", "#ff8f73", "#3a1d17", "#56c8dc")
PALETTES = (LIGHT, DARK)
