"""Characters by which a text is shown as another than it is: controls, line ends, and what turns its order round.

Source: https://www.unicode.org/reports/tr9/ for those that turn it round.
"""

from __future__ import annotations

import re

NOT_ASCII = "\x7f-\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069"
"""Those beyond ASCII, and DEL, as a set in a regular expression names them."""

MISLEADING = re.compile(f"[\x00-\x1f{NOT_ASCII}]")
"""One of all of them, the tab and the line ends of ASCII included."""
