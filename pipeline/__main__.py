"""``python -m pipeline``."""

import sys

from maskline.pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
