"""Raises what no ``except Exception`` catches."""


class Stop(BaseException):
    pass


raise Stop("two\nlines")
