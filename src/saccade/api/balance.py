"""One word for the remedies against classes of unequal size, and the settings that it stands for.

He and Garcia, "Learning from Imbalanced Data", IEEE TKDE 21, 2009: sections 3.1 for sampling, 3.2
for costs. Both at once would count the rare class twice, so each word sets both settings.
"""

from collections.abc import Mapping
from typing import Any

from saccade.errors import SettingError
from saccade.names import look_up


def with_balance(values: Mapping[str, Any], balance: str | None) -> dict[str, Any]:
    """Return the settings ``values`` with those that ``balance`` stands for; all where it is None.

    Raises UnknownNameError for no such word, SettingError when ``values`` say otherwise.
    """
    named = {} if balance is None else look_up(BALANCES, balance, "balance")
    for name, value in named.items():
        if values.get(name, value) != value:
            raise SettingError(
                f"--balance {balance} means {name} {value}, and --{name} {values[name]} is given; "
                "give one of them"
            )
    return {**values, **named}


BALANCES: dict[str, dict[str, str]] = {
    "none": {"loss.class_weights": "none", "train.batches": "shuffled"},
    "weights": {"loss.class_weights": "balanced", "train.batches": "shuffled"},
    "batches": {"loss.class_weights": "none", "train.batches": "balanced"},
}
