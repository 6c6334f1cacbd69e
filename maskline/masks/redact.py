"""``redact``: a constant in the place of every value. It tells that there was one, and nothing else."""

REDACTED = "[redacted]"
"""What stands for a value."""
