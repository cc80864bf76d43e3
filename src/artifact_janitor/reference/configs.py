"""From words on a command line and ``conf/`` to a plain dict, by Hydra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from artifact_janitor.errors import UsageError
from artifact_janitor.reference.settings import Settings, checked

CONF = Path(__file__).parent / "conf"
DECIDING = tuple(Settings.model_fields)
"""The keys that decide the result; ``machine`` and ``tracking`` don't."""


def composed(overrides: Sequence[str]) -> dict[str, Any]:
    """Raises UsageError where Hydra doesn't understand them."""
    try:
        with initialize_config_dir(str(CONF), version_base=None):
            told = compose("config", [*overrides, "run_name=none"])  # it is no run
            plain: Any = OmegaConf.to_container(told, resolve=True)
            return dict(plain)
    except (HydraException, OmegaConfBaseException) as error:
        what = str(error).strip().partition("\n")[0]
        raise UsageError(what, f"the keys: {CONF / 'config.yaml'}") from None


def deciding(told: dict[str, Any]) -> Settings:
    """Raises ConfigError with everything that is wrong."""
    return checked({name: told[name] for name in DECIDING if name in told}, "the configuration")
