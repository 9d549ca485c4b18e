"""Tasks by name: what can be learned."""

from saccade.tasks.classify import ClassifyTask
from saccade.tasks.detect import DetectTask
from saccade.tasks.embed import EmbedTask
from saccade.tasks.forecast import ForecastTask
from saccade.tasks.regress import RegressTask
from saccade.tasks.segment import SegmentTask

TASKS = {
    "classify": ClassifyTask,
    "detect": DetectTask,
    "embed": EmbedTask,
    "forecast": ForecastTask,
    "regress": RegressTask,
    "segment": SegmentTask,
}
