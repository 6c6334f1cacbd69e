"""Tests of the core, file for file."""
