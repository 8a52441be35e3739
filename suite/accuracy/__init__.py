"""Trainings to their end, their checkpoints in other frameworks, and baselines."""
