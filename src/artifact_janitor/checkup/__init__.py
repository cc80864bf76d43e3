"""Everything that could bite, found before it does."""
