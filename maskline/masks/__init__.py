"""The masks: how a value becomes a token, and what the tokens of a column give away."""
