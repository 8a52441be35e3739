"""The tasks as users otherwise write them: torch.nn, Keras 3 on each of its backends, and Flax with
Optax. Each kind has the same files:

    arrays.py      canonical parameters of a layer to its module's and back
    layers.py      specs to the framework's own modules
    optimizers.py  specs to the framework's own optimizers, and where those compute something else
    program.py     a model with its optimizer, called as the framework's guides do
"""
