"""Options that many commands have: what they are called, and what they are where none is given."""

from typing import Annotated

from cyclopts import Parameter

from saccade.config import DataSettings

Flag = Annotated[bool, Parameter(negative="")]  # --json, beside which there is no --no-json
BrokenShare = Annotated[float, Parameter(name="--data.broken")]
BROKEN = DataSettings().broken
