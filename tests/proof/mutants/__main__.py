"""``python -m tests.proof.mutants [--only S9] [--jobs 1]``."""

from __future__ import annotations

import sys

from tests.proof.mutants.run import main

if __name__ == "__main__":
    sys.exit(main())
