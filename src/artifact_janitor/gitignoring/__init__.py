"""Hold ``.gitignore`` to the policy: look, let Git prove it, write.

Nothing is written before Git itself said, of each path there is and of some that are thought
up, that the new file does what the policy says, and nothing else.
"""

from artifact_janitor.gitignoring.check import Checked, check, drift
from artifact_janitor.gitignoring.look import GitTrouble, Sight, look
from artifact_janitor.gitignoring.prove import Proof, prove
from artifact_janitor.gitignoring.sync import Synced, carry_out, planned, sync

__all__ = [
    "Checked",
    "GitTrouble",
    "Proof",
    "Sight",
    "Synced",
    "carry_out",
    "check",
    "drift",
    "look",
    "planned",
    "prove",
    "sync",
]
