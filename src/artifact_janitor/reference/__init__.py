"""The reference project: a small forecaster of forex prices, and the search for its best form.

Three programs, each run with ``python -m artifact_janitor.reference.NAME``: `run_hpo` looks
for good settings, `train_nn_model` trains one model, `predict` uses a published one. What
the janitor needs of a project is in `contract` (the trainer's side) and `marks` (a study's);
the rest is an ordinary project. It imports nothing of the janitor but its errors and units.
"""
