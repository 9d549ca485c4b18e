"""``python -m saccade`` is the same as ``saccade``."""

import sys

from saccade.cli.app import main

sys.exit(main())
