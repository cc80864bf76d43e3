"""The janitor as a service of systemd's: its units for one workspace, and how they stand.

`unit` is their text, `place` what has to stand in them for a workspace, `installing` writes and
removes them, `asking` talks to systemd. The templates lie in ``units/``.
"""
