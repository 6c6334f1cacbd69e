"""The tests, in the packages of the source they test."""
