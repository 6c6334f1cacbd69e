"""The fault suite: the real job with real parts, one thing broken at a time, every message counted afterwards."""
