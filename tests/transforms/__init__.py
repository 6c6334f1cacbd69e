"""Tests of the Beam transforms, file for file."""
