"""Tables of results within a document.

Each stands between a line that begins it and a line that ends it::

<!-- begin: backlog -->
<!-- end: backlog -->
"""

from __future__ import annotations

import re
from collections.abc import Callable

from maskline.errors import UsageError


def places(document: str) -> list[str]:
    """Return the names of what a document has a place for, in its order.

    Args:
        document: Its text.
    """
    return re.findall(r"^<!-- begin: (\w+) -->$", document, re.MULTILINE)


def filled(document: str, content: Callable[[str], str]) -> str:
    """Return a document with something in each of its places, in place of what stood there.

    Args:
        document: Its text.
        content: Returns what belongs into the place of a name.

    Raises:
        UsageError: A place has no end.
    """
    for name in places(document):
        begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
        before, _, rest = document.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise UsageError(f"the document has no line {end}")
        document = f"{before}{begin}{content(name)}{end}{after}"
    return document
