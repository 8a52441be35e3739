"""Is it the same function? Every backend against the NumPy float64 reference.

findings.py    what one backend makes of a task
reference.py   what the reference finds, and how far rounding takes it
compare.py     errors of one backend's values, and where they begin
gate.py        the questions, asked of one backend
"""
