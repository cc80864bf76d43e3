"""A small real project in a folder, and the story that the janitor tells on it."""
