"""Runs, judges and reports. Knows backends through the worker protocol only."""
