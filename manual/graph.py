"""The picture of the job's graph. A test holds its steps and arrows against the graph that the job builds."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape

from manual.pictures import MONOSPACE, PALETTES, SANS, Palette

COLUMN, ROW, MARGIN = 160, 96, 14
"""How far apart the steps stand, and how far from the edge, in pixels."""

BOX_WIDTH, BOX_HEIGHT = 136, 62


@dataclass(frozen=True)
class Step:
    """A step of the job, and where it stands.

    Attributes:
        label: Its name in the graph, which a runner's interface shows.
        transform: The class that does it.
        column: Counted from the left.
        row: Counted from the top.
    """

    label: str
    transform: str
    column: int
    row: int


RECEIVE = Step("Receive from SQS", "ReadFromSqs", 1, 1)
MASK = Step("Mask", "MaskPii", 2, 1)
STEPS = (
    RECEIVE,
    MASK,
    Step("Write rows", "WriteToPostgres", 3, 0),
    Step("Delete rows' messages", "DeleteFromSqs", 4, 0),
    Step("Write rejected rows", "WriteRejections", 4, 1),
    Step("Delete rejected rows' messages", "DeleteFromSqs", 5, 1),
    Step("Write rejections", "WriteRejections", 3, 2),
    Step("Delete rejections' messages", "DeleteFromSqs", 4, 2),
)
ARROWS = {
    ("Receive from SQS", "Mask"): "",
    ("Mask", "Write rows"): "masked",
    ("Write rows", "Delete rows' messages"): "",
    ("Write rows", "Write rejected rows"): "",
    ("Write rejected rows", "Delete rejected rows' messages"): "",
    ("Mask", "Write rejections"): "rejected",
    ("Write rejections", "Delete rejections' messages"): "",
}
"""What goes from one step to the next, and what is said of it."""

DESCRIPTION = (
    "The graph of the job: messages are received from SQS and masked, a micro-batch at a time. Masked rows are written "
    "to Postgres, and only then deleted from the queue; so are rejections, and rows that Postgres rejects, which "
    "become rejections."
)


def draw() -> None:
    """Write the picture, light and dark."""
    for palette in PALETTES:
        file = palette.path("graph")
        file.parent.mkdir(exist_ok=True)
        file.write_text(picture(palette), encoding="utf-8")


def picture(palette: Palette) -> str:
    """Return the picture as SVG.

    Args:
        palette: Its colors.
    """
    width, height = 6 * COLUMN - (COLUMN - BOX_WIDTH) + 2 * MARGIN, 2 * ROW + BOX_HEIGHT + 2 * MARGIN + 34
    steps = {step.label: step for step in STEPS}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{escape(DESCRIPTION)}">',
        "<defs>"
        + "".join(_arrow_head(name, color) for name, color in (("clear", palette.clear), ("tokens", palette.tokens)))
        + "</defs>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{palette.background}"/>',
        _outside(palette, "SQS queue", "events in clear", 0, 1, palette.clear),
        _outside(palette, "Postgres", "tokens only", 3, 1, palette.tokens),
        _outside(palette, "keyset", "read by each worker", 2, 2, palette.muted),
        _line(palette.clear, "clear", [_right(0, 1), _left(1, 1)]),
        _line(palette.muted, "", [(_middle(2), _top(2)), (_middle(2), _top(1) + BOX_HEIGHT)], dashed=True),
        _line(palette.tokens, "tokens", [(_middle(3), _top(0) + BOX_HEIGHT), (_middle(3), _top(1))], dashed=True),
        _line(palette.tokens, "tokens", [(_middle(3), _top(2)), (_middle(3), _top(1) + BOX_HEIGHT)], dashed=True),
        _line(
            palette.tokens, "tokens", [(_left(4, 1)[0], _top(1) + 48), (_right(3, 1)[0] - 5, _top(1) + 48)], dashed=True
        ),
        *(_arrow(palette, steps[start], steps[end], said) for (start, end), said in ARROWS.items()),
        *(_box(palette, step) for step in STEPS),
        _legend(palette, height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _arrow(palette: Palette, start: Step, end: Step, said: str) -> str:
    color, name = (palette.clear, "clear") if start is RECEIVE else (palette.tokens, "tokens")
    if start.row == end.row:
        return _line(color, name, [_right(start.column, start.row), _left(end.column, end.row)])
    left = _left(end.column, end.row)
    bend = (_right(start.column, start.row)[0] + left[0]) / 2
    line = _line(color, name, [_right(start.column, start.row), (bend, _right(0, start.row)[1]), (bend, left[1]), left])
    if not said:
        return line
    halfway = (_right(0, start.row)[1] + left[1]) / 2
    return line + _text(palette.muted, said, bend - 6, halfway + 4, 11.5, anchor="end")


def _box(palette: Palette, step: Step) -> str:
    in_clear = step in (RECEIVE, MASK)
    left, top = _left(step.column, step.row)[0], _top(step.row)
    lines = textwrap.wrap(step.label, 18)
    first = top + BOX_HEIGHT / 2 - (len(lines) - 1) * 8 - 3
    return "".join(
        [
            f'<rect x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"'
            f' fill="{palette.clear_box if in_clear else palette.box}"'
            f' stroke="{palette.clear if in_clear else palette.border}"/>',
            *(
                _text(palette.text, line, _middle(step.column), first + number * 15, 12.5, weight=600)
                for number, line in enumerate(lines)
            ),
            _text(
                palette.muted, step.transform, _middle(step.column), first + len(lines) * 15 + 1, 11, family=MONOSPACE
            ),
        ]
    )


def _outside(palette: Palette, name: str, said: str, column: int, row: int, color: str) -> str:
    left, top = _left(column, row)[0], _top(row)
    middle = top + BOX_HEIGHT / 2
    return "".join(
        [
            f'<rect x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="{BOX_HEIGHT / 2}" fill="none"'
            f' stroke="{color}" stroke-dasharray="4 3"/>',
            _text(palette.text, name, _middle(column), middle - 2, 12.5, weight=600),
            _text(color, said, _middle(column), middle + 15, 11),
        ]
    )


def _legend(palette: Palette, height: int) -> str:
    said = (
        (palette.clear, "personal data in clear: the queue, and one worker's memory"),
        (palette.tokens, "tokens; a rejected message encrypted"),
    )
    parts, left = [], MARGIN
    for color, text in said:
        parts.append(f'<rect x="{left}" y="{height - 27}" width="12" height="12" rx="3" fill="{color}"/>')
        parts.append(_text(palette.muted, text, left + 20, height - 17, 12, anchor="start"))
        left += 410
    return "".join(parts)


def _line(color: str, head: str, points: list[tuple[float, float]], *, dashed: bool = False) -> str:
    path = " L".join(f"{x:g} {y:g}" for x, y in points)
    marker = f' marker-end="url(#{head})"' if head else ""
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="1.6"{dashes}{marker}/>'


def _arrow_head(name: str, color: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{color}"/></marker>'
    )


def _text(
    color: str,
    text: str,
    x: float,
    y: float,
    size: float,
    *,
    weight: int = 400,
    anchor: str = "middle",
    family: str = SANS,
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-family="{family}" font-size="{size:g}" font-weight="{weight}"'
        f' text-anchor="{anchor}" fill="{color}">{escape(text, quote=False)}</text>'
    )


def _top(row: int) -> float:
    return MARGIN + row * ROW


def _left(column: int, row: int) -> tuple[float, float]:
    return MARGIN + column * COLUMN, _top(row) + BOX_HEIGHT / 2


def _right(column: int, row: int) -> tuple[float, float]:
    return _left(column, row)[0] + BOX_WIDTH, _left(column, row)[1]


def _middle(column: int) -> float:
    return MARGIN + column * COLUMN + BOX_WIDTH / 2
