"""`python -m jitney.daemon.cli`: the same as the command `jitney`, from a checkout too."""

import sys

from jitney.daemon.cli import main

sys.exit(main())
