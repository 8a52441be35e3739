"""A run from its beginning to its end: which stages, in which order, in how much time."""
