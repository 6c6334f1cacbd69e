"""The tests, in the rooms of the source they test."""
