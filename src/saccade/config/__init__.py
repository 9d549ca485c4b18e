"""The recipe: every setting of a run, one TOML file.

Only ``api`` reads these objects; the layers below take plain keyword arguments.
"""

from saccade.config.data_settings import AugmentSettings, DataSettings
from saccade.config.learning_settings import LossSettings, OptimSettings, TrainSettings
from saccade.config.model_settings import ModelSettings
from saccade.config.recipe import Setting, override, parse_size, read_recipe, settings, to_toml
from saccade.config.sections import Recipe
from saccade.config.setting import AUTO
from saccade.config.task_settings import DetectSettings, ForecastSettings, SegmentSettings

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
