"""The version of maskline, which the packaging reads, too."""

__version__ = "0.2.0"
