"""Tests of ``lake``, mirrored file for file."""
