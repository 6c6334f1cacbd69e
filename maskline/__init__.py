"""Mask personal data deterministically and reversibly on its way from SQS to Postgres.

This is the core: it knows queues, keysets and tables, and nothing of Apache Beam, so that a Lambda or an
analyst's notebook can use it alone. ``transforms`` builds Beam transforms on it, ``pipeline`` builds the job on those.
"""

from maskline._version import __version__

__all__ = ["__version__"]
