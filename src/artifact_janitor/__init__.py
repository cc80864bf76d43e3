"""Artifact Janitor: keeps the folders that machine learning leaves behind in order."""

__version__ = "0.1.0"
