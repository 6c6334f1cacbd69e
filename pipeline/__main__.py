"""``python -m pipeline``."""

from maskline.pipeline.cli import run

if __name__ == "__main__":
    run()
