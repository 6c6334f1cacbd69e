"""The rules of what equal means."""
