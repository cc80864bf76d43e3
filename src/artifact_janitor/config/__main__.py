"""``python -m artifact_janitor.config`` prints the commented config.toml."""

import sys

from artifact_janitor.config.commented import sample

sys.stdout.write(sample())
