"""What MkDocs does with a page beside building it; mkdocs.yml names this file."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)(?:#[^)\s]*)?\)")

_ITEM = re.compile(r"(?:\d\.|[*-]) ")
_INDENT = 4


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page as MkDocs takes it; files of the checkout are named, not linked: the site has the manual alone.

    Args:
        markdown: The page.
        page: What MkDocs knows of it.
    """
    folder = PurePosixPath(page.file.src_uri).parent

    def named(link: re.Match[str]) -> str:
        text, target = link.groups()
        if not _is_outside(folder, target):
            return link[0]
        name = f"`{target.removeprefix('../')}`"
        return text if target.rpartition("/")[2] in text else f"{text} ({name})"

    return _indented_for_markdown(_LINK.sub(named, markdown))


def _indented_for_markdown(text: str) -> str:
    """Return a page in which all of a list's item is indented by four, which GitHub does not ask for.

    Source: https://python-markdown.github.io/#differences
    """
    lines, width, is_code = [], 0, False
    for line in text.split("\n"):
        item = _ITEM.match(line)
        if line.startswith("```"):
            is_code, width = not is_code, 0
        elif not is_code and item:
            width = item.end()
        elif line and not line.startswith(" " * width):
            width = 0
        lines.append(" " * (_INDENT - width) + line if width and line and not item else line)
    return "\n".join(lines)


def _is_outside(folder: PurePosixPath, target: str) -> bool:
    return target.count("../") > len(folder.parts)
