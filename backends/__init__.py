"""How each framework computes a task: one folder per framework, mirrored file by file."""
