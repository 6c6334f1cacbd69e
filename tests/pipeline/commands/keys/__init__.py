"""Tests of ``keys``, mirrored file for file."""
