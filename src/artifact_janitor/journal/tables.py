"""How a table of the journal reads and writes: what the journal hands to each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

Rows = Callable[..., list[Any]]
"""What a query finds, with its values; each row as ``make`` makes it."""

Writing = Callable[..., AbstractContextManager[sqlite3.Connection]]
"""One transaction; with ``durable=False`` it may be lost in a power cut."""
