"""Known mistakes: what may have been done in place of what is specified.

layers.py       fields, parameters, masks and gate orders
losses.py       what is averaged, smoothed and clipped
statistics.py   running statistics
optimizers.py   update rules

A mistake is confirmed by computing with it: it is named only where it makes what the backend
made.
"""
