"""The models of real size beside the libraries' own implementations; see check.py."""
