"""Results of a study, as JSON and as plots: a program that runs in a process of its own.

Only here are Optuna and matplotlib imported. It reads a private copy of the study, and writes
into the folder that it is told; what becomes of the files is not its business.
"""
