"""Saccade teaches a computer to see from a folder of images, judges it, and finds pictures again.

Four words do most of the work: ``train``, ``load``, ``evaluate``, ``Gallery``. Names are loaded on
first use, so that ``import saccade`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saccade.api.bias_variance import bias_variance
    from saccade.api.card import card
    from saccade.api.compare import compare
    from saccade.api.compare_predictions import compare_predictions
    from saccade.api.convert import convert
    from saccade.api.cut import cut
    from saccade.api.denoise import Denoised, denoise
    from saccade.api.evaluate import evaluate, load
    from saccade.api.explain import explain
    from saccade.api.export_model import Exported, export_model
    from saccade.api.gallery import Gallery
    from saccade.api.inside import look_inside
    from saccade.api.inspect import inspect
    from saccade.api.label_next import LabelNext, label_next
    from saccade.api.learning_curve import learning_curve
    from saccade.api.limits import limits
    from saccade.api.mistakes import Mistakes, explain_mistakes
    from saccade.api.pictures import enrol_photos, find_in_photos, find_in_video
    from saccade.api.predict import predict
    from saccade.api.report import report_index
    from saccade.api.review import check, decide, group
    from saccade.api.robustness import robustness
    from saccade.api.stylize import Stylized, stylize
    from saccade.api.summary import Summary, summary
    from saccade.api.train import Run, Training, train
    from saccade.api.tune import Tuning, tune
    from saccade.config import Recipe, read_recipe
    from saccade.data.readers import read_data
    from saccade.data.vector_files import read_vectors
    from saccade.errors import GalleryError, InputError, SaccadeError
    from saccade.judge.bias_variance import Decomposition
    from saccade.judge.comparison import Compared
    from saccade.judge.explanation import Explanation
    from saccade.judge.inspection import Inspection
    from saccade.judge.learning_curve import Curve
    from saccade.judge.limits import Limits
    from saccade.judge.robustness import Robustness
    from saccade.judge.run_index import RunIndex
    from saccade.judge.tuning import Tuned
    from saccade.judge.weight_pictures import Inside
    from saccade.tasks.model import Model
    from saccade.values import Estimate, Forecast, Found, Hit, Interval, Prediction, Sample
    from saccade.vectors.tuned import Wish

_HOME = {
    "Compared": "judge.comparison",
    "Curve": "judge.learning_curve",
    "Decomposition": "judge.bias_variance",
    "Denoised": "api.denoise",
    "Estimate": "values",
    "Explanation": "judge.explanation",
    "Exported": "api.export_model",
    "Forecast": "values",
    "Found": "values",
    "Gallery": "api.gallery",
    "GalleryError": "errors",
    "Hit": "values",
    "InputError": "errors",
    "Inside": "judge.weight_pictures",
    "Inspection": "judge.inspection",
    "Interval": "values",
    "Limits": "judge.limits",
    "LabelNext": "api.label_next",
    "Mistakes": "api.mistakes",
    "Model": "tasks.model",
    "Prediction": "values",
    "Recipe": "config",
    "Robustness": "judge.robustness",
    "Run": "api.train",
    "RunIndex": "judge.run_index",
    "SaccadeError": "errors",
    "Sample": "values",
    "Stylized": "api.stylize",
    "Summary": "api.summary",
    "Training": "api.train",
    "Tuned": "judge.tuning",
    "Tuning": "api.tune",
    "Wish": "vectors.tuned",
    "bias_variance": "api.bias_variance",
    "card": "api.card",
    "check": "api.review",
    "decide": "api.review",
    "group": "api.review",
    "compare": "api.compare",
    "compare_predictions": "api.compare_predictions",
    "convert": "api.convert",
    "cut": "api.cut",
    "denoise": "api.denoise",
    "enrol_photos": "api.pictures",
    "evaluate": "api.evaluate",
    "find_in_photos": "api.pictures",
    "find_in_video": "api.pictures",
    "inspect": "api.inspect",
    "limits": "api.limits",
    "explain": "api.explain",
    "explain_mistakes": "api.mistakes",
    "export_model": "api.export_model",
    "label_next": "api.label_next",
    "learning_curve": "api.learning_curve",
    "load": "api.evaluate",
    "look_inside": "api.inside",
    "predict": "api.predict",
    "read_data": "data.readers",
    "read_recipe": "config",
    "read_vectors": "data.vector_files",
    "report_index": "api.report",
    "robustness": "api.robustness",
    "stylize": "api.stylize",
    "summary": "api.summary",
    "train": "api.train",
    "tune": "api.tune",
}

__all__ = [
    "Compared",
    "Curve",
    "Decomposition",
    "Denoised",
    "Estimate",
    "Explanation",
    "Exported",
    "Forecast",
    "Found",
    "Gallery",
    "GalleryError",
    "Hit",
    "InputError",
    "Inside",
    "Inspection",
    "Interval",
    "LabelNext",
    "Limits",
    "Mistakes",
    "Model",
    "Prediction",
    "Recipe",
    "Robustness",
    "Run",
    "RunIndex",
    "SaccadeError",
    "Sample",
    "Stylized",
    "Summary",
    "Training",
    "Tuned",
    "Tuning",
    "Wish",
    "bias_variance",
    "card",
    "check",
    "compare",
    "compare_predictions",
    "convert",
    "cut",
    "decide",
    "denoise",
    "enrol_photos",
    "evaluate",
    "explain",
    "explain_mistakes",
    "export_model",
    "find_in_photos",
    "find_in_video",
    "group",
    "inspect",
    "label_next",
    "learning_curve",
    "limits",
    "load",
    "look_inside",
    "predict",
    "read_data",
    "read_recipe",
    "read_vectors",
    "report_index",
    "robustness",
    "stylize",
    "summary",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'saccade' has no attribute '{name}'")
    return getattr(import_module(f"saccade.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
