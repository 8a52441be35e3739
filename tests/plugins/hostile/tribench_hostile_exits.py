"""As a script does that checks its licence."""

import sys

sys.exit("no licence")
