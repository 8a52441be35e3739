"""Known mistakes: what may have been done in place of what is specified.

layers.py       fields, parameters, masks, gate orders, running statistics, narrow operands
losses.py       what is averaged, smoothed and clipped
optimizers.py   update rules

A mistake is confirmed by computing with it: it is named only where it makes what the backend
made.
"""
