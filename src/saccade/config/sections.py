"""Every setting of a run: a field a setting, a class a section of the recipe.

A field is at once the TOML key, the flag (``--section.key value``), the help text and the row in
the reference. The sections stand in four files beside this one, by what they are about.
"""

from dataclasses import dataclass, field

from saccade.config.data_settings import AugmentSettings, DataSettings
from saccade.config.learning_settings import LossSettings, OptimSettings, TrainSettings
from saccade.config.model_settings import ModelSettings
from saccade.config.setting import setting
from saccade.config.task_settings import DetectSettings, ForecastSettings, SegmentSettings


@dataclass(frozen=True)
class Recipe:
    """All settings of a run."""

    task: str = setting("embed", "what is learned")
    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    detect: DetectSettings = field(default_factory=DetectSettings)
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    forecast: ForecastSettings = field(default_factory=ForecastSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optim: OptimSettings = field(default_factory=OptimSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
