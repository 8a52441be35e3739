"""Checkpoints of libraries by their names: files in, canonical parameters, files out.

contents.py    what a file holds, and what is wrong with one
formats.py     which reader and writer a file's name asks for
safetensors.py, npz.py   read here: both formats are data alone
foreign.py     read by a worker of the framework that knows the format: pickles, HDF5
checkpoint.py  whose model it is: prefix, sizes, what is missing
batch.py       samples of a user
check.py       the same logits in every framework
"""
