"""The job as a user runs it: its own process, a real queue and a real database."""
