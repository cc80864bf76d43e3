"""All that makes a workspace nasty, one function each.

To add a hazard, write a function that takes the `Nasty` workspace, makes one nasty thing
with the real tool, and says of each unit whether it ``goes`` or ``stays``, and why; then
name it in the ``HAZARDS`` table at the end of its file.
"""

from tests.real.hazards import hydra, kept, living, logs, names, references, training, wandb

ALL = (
    *training.HAZARDS,  # the slowest first: several are built at once
    *wandb.HAZARDS,
    *hydra.HAZARDS,
    *logs.HAZARDS,
    *names.HAZARDS,
    *kept.HAZARDS,
    *references.HAZARDS,
    *living.HAZARDS,
)
