"""The command line on a machine whose cores are always as fast: what else runs beside the tests of
scripted adapters, whose times are told, must make none of their cells disturbed.
"""

from suite.cli import main
from suite.measure import cores

cores.known_work = lambda: None

if __name__ == "__main__":
    main()
