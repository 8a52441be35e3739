"""Is it the same function? Every backend against the NumPy float64 reference.

findings.py          what one backend makes of a task
cases.py             what makes silent faults visible in a layer alone
layer_checks.py      every layer alone, in these cases
optimizer_checks.py  the loss and the optimizers by themselves
reference.py         what the reference finds, and how far rounding takes it
compare.py           errors of one backend's values, and where they begin
known_mistakes/      what may have been done in place of the right thing
diagnosis.py         the place, and the known mistake that makes what the backend made
gate.py              the questions, asked of one backend
asking.py            all of them, from the command line
conformance/         the same checks for every adapter
"""
