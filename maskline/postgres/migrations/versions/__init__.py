"""The revisions, in order, each with its way back."""
