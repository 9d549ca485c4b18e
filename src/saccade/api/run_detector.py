"""A detector that was trained here, in the place of one that others made: ``--detector RUN``."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from saccade.api.predict_objects import SURE, from_score
from saccade.boxes.formats import corners_from_xywh
from saccade.boxes.suppression import suppress
from saccade.errors import InputError
from saccade.tasks.model import Model
from saccade.values import Detected, Float32Array, Sample, UInt8Array


class RunDetector:
    """A ``Detector``: all classes of the run are one kind of object; there are no landmarks.

    A box counts from the score SURE, or from the ``answer.at_least`` of the card where that is
    higher; of boxes of different classes that overlap, as the card says, the surest is kept.
    """

    template: Float32Array | None = None

    def __init__(self, run: Path | str) -> None:
        """Open a run folder; raises InputError where it is no detector's."""
        self._model = Model.load(run)
        if self._model.objects is None:
            raise InputError(
                f"{run} is {self._model.called}, and finds no objects; name a run of task detect, "
                "or an .onnx file with its card"
            )
        self._at_least = max(SURE, float(self._model.card["answer"]["at_least"]))
        told = f"{self._model.fingerprint} from {self._at_least}"
        self.fingerprint = hashlib.sha256(told.encode()).hexdigest()

    def __call__(self, pictures: Sequence[UInt8Array]) -> list[Detected]:
        """(H, W, 3) uint8 pictures of any size → what was seen in each, the surest first."""
        samples = [Sample(Path("picture"), "", array=one) for one in pictures]
        answer, found = self._model.card["answer"], []
        for one in self._model.detect(samples):
            sure = from_score(one, self._at_least)
            kept, _ = suppress(
                corners_from_xywh(torch.from_numpy(sure.xywh)),
                torch.from_numpy(sure.scores),
                iou=answer["overlap"],
                most=answer["most"],
            )
            places = kept.numpy()
            found.append(
                Detected(
                    sure.xywh[places].astype(np.float32), sure.scores[places].astype(np.float32)
                )
            )
        return found
