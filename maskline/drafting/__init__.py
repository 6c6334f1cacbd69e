"""Drafting a stream's definition from messages."""
