"""Is it the same function? Every backend against the NumPy float64 reference.

reference.py   what the reference finds, once per task
compare.py     errors of one backend's values, and where they begin
gate.py        the questions, asked of one backend
"""
