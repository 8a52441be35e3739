"""A run on disk: its directory, its seal, its recovery, its publication."""
