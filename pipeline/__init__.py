"""The job and its commands; imported as ``maskline.pipeline``, and run from a checkout by ``python -m pipeline``."""
