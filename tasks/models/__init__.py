"""Models of real size, as functions of their sizes: without arguments the published model, with
small ones its twin for parity. Each names its source; no task uses them yet.
"""
