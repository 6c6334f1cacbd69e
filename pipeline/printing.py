"""Sentences on standard output, as they are: no colours, no folding, so that they can be copied and searched."""

from __future__ import annotations

from rich.console import Console


def echo(sentence: str) -> None:
    """Print a sentence.

    Args:
        sentence: The sentence.
    """
    Console(highlight=False, soft_wrap=True).print(sentence, markup=False)
