"""The recipe: every setting of a run, one TOML file.

Only ``api`` reads these objects; the layers below take plain keyword arguments.
"""

from saccade.config.recipe import Setting, override, parse_size, read_recipe, settings, to_toml
from saccade.config.sections import (
    AUTO,
    AugmentSettings,
    DataSettings,
    DetectSettings,
    ForecastSettings,
    LossSettings,
    ModelSettings,
    OptimSettings,
    Recipe,
    SegmentSettings,
    TrainSettings,
)

__all__ = [
    "AUTO",
    "AugmentSettings",
    "DataSettings",
    "DetectSettings",
    "ForecastSettings",
    "LossSettings",
    "ModelSettings",
    "OptimSettings",
    "Recipe",
    "SegmentSettings",
    "Setting",
    "TrainSettings",
    "override",
    "parse_size",
    "read_recipe",
    "settings",
    "to_toml",
]
