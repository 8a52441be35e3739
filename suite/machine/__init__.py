"""What this machine is and does now. Standard library and NumPy only."""
