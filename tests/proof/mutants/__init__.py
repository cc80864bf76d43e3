"""Break each safety rule and the order of durability on purpose, and see that a test falls.

``python -m tests.proof.mutants`` does it on a private copy of the tree: `breaks` is the table of
all that is broken, with the tests that must catch it.
"""
