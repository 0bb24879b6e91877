"""`python -m operations.doctor`: `chamade-admin doctor` by itself."""

import sys

from operations.admin import main

if __name__ == "__main__":
    sys.exit(main(["doctor", *sys.argv[1:]]))
