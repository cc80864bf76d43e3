"""Train one model: a run of your own, or what the janitor asks for.

python -m artifact_janitor.reference.train_nn_model model=lstm series.csv=prices.csv
python -m artifact_janitor.reference.train_nn_model --request request.json --out STAGING
"""

from __future__ import annotations

import sys

from artifact_janitor.reference import needs


def main() -> int:
    needs.require("torch", "lightning", "torchmetrics", "sklearn", "hydra")
    words = sys.argv[1:]
    if any(word.partition("=")[0] in ("--request", "--out") for word in words):
        from artifact_janitor.reference import contract

        return contract.main(words)
    from artifact_janitor.reference import runs

    return runs.main()


if __name__ == "__main__":
    sys.exit(needs.told(main))
