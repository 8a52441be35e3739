"""The types of everything that is written, and what must not be written."""
