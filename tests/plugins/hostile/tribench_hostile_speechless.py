"""Raises an error that cannot be told."""


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError


raise Speechless
