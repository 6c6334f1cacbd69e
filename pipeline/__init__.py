"""The job and its commands: ``python -m pipeline``."""
