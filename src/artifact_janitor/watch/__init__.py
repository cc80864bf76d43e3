"""Hints: something may have changed. Events are hints, state is the truth."""
