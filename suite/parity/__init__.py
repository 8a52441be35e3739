"""Is it the same function? Every backend against the NumPy float64 reference.

findings.py          what one backend makes of a task
layer_checks.py      a layer alone: what a case is, how it is run and judged, whoever asks
cases.py             the cases of a model's layers, and the layers that are wrong in them
loss_checks.py       a loss by itself
optimizer_checks.py  the loss and the optimizers by themselves
reference.py         what the reference finds, and how far rounding takes it
compare.py           errors of one backend's values, where they begin, and branch flips
ensemble.py          the null ensemble: how far correct arithmetic strays, in training too
known_mistakes/      what may have been done in place of the right thing
diagnosis.py         the place, and the known mistake that makes what the backend made
gate.py              the questions, asked of one backend; all of them, from the command line
conformance/         the same checks for every adapter
"""
