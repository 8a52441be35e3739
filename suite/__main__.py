"""``python -m suite`` is ``tribench``."""

from suite.cli import main

main()
