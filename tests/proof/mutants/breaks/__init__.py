"""All that is broken on purpose, by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.proof.mutants.breaks.archives import S9, S10
from tests.proof.mutants.breaks.guards import S8
from tests.proof.mutants.breaks.kept import S3, S4
from tests.proof.mutants.breaks.order import ORDER
from tests.proof.mutants.breaks.outside import S1, S2
from tests.proof.mutants.breaks.precious import S5, S6, S7
from tests.proof.mutants.breaks.steps import S11, S12, S13
from tests.proof.mutants.breaks.strangers import S14
from tests.proof.mutants.breaks.table import Break

BREAKS: Mapping[str, Sequence[Break]] = {
    "S1": S1,
    "S2": S2,
    "S3": S3,
    "S4": S4,
    "S5": S5,
    "S6": S6,
    "S7": S7,
    "S8": S8,
    "S9": S9,
    "S10": S10,
    "S11": S11,
    "S12": S12,
    "S13": S13,
    "S14": S14,
    "order": ORDER,
}
