"""``python -m artifact_janitor``."""

from artifact_janitor.cli.main import main

if __name__ == "__main__":
    main()
