"""``python -m tests.faults``."""

import sys

from maskline.pipeline.logs import hide_missing_packages

if __name__ == "__main__":
    hide_missing_packages()  # before the suite imports Beam
    from tests.faults.suite import main

    sys.exit(main(sys.argv[1:]))
