"""Tests of the keysets, mirrored file for file."""
