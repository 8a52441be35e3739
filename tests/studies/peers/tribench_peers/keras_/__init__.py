"""Keras 3; keras_torch.py and the like choose its backend, one per process."""
