"""Answers of a model for places in pictures: boxes, masks, and the pixels of the next frames."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from saccade.data.batches import load_pictures
from saccade.data.pictures import read_image, several, to_size
from saccade.data.stored import Pictures
from saccade.errors import InputError, PictureError
from saccade.tasks.detecting import as_detection, detect_batch
from saccade.tasks.detector import OneStageNetwork
from saccade.tasks.forecast import forecast_batch
from saccade.tasks.forecaster import Forecaster
from saccade.tasks.model_facts import ModelFacts
from saccade.tasks.segmenter import SegmentNetwork, likeliest, segment_batch
from saccade.tasks.tiling import segment_tiles
from saccade.tasks.whole_answers import blocks_of
from saccade.values import Detection, Sample, Segmentation, UInt8Array

FORECAST_TOGETHER = 16  # windows: each step mixes many pixels
DETECTED_TOGETHER = 4  # pictures: their maps are large


class PlaceAnswers(ModelFacts):
    """What a detector, a segmenter and a forecaster say; others refuse with InputError."""

    def detect(self, pictures: Sequence[Path | str | Sample]) -> list[Detection]:
        """Decode files or samples and say which objects are where in each; for detectors.

        That of a picture that cannot be read has a ``reason`` instead.
        """
        found: list[Detection] = []
        for source in several(pictures):
            name = str(source.path if isinstance(source, Sample) else source)
            try:
                image = read_image(source)
            except PictureError as error:
                found.append(Detection(name, reason=str(error)))
                continue
            prepared = torch.from_numpy(to_size(image, self.size_hw, self.channels))[None]
            size_hw = (image.height, image.width)
            found += self.detect_prepared(prepared, [name], [size_hw])
        return found

    def detect_prepared(
        self, pictures: Pictures, names: Sequence[str], sizes_hw: Sequence[tuple[int, int]]
    ) -> list[Detection]:
        """(n, channels, H, W) uint8 of the model's own size → what is in each, in its own pixels.

        ``names`` and ``sizes_hw``, height and width, are those of the pictures as they were.
        """
        network = self.network
        if not isinstance(network, OneStageNetwork):
            raise InputError(f"{self.called} finds no objects; train a model with --task detect")
        mirror = bool(self.card.get("mirror"))
        kept = [
            one
            for block in blocks_of(pictures, DETECTED_TOGETHER)
            for one in detect_batch(network, block, self.card["answer"], mirror=mirror)
        ]
        return [
            as_detection(one, name, self.objects or (), from_hw=self.size_hw, to_hw=size_hw)
            for one, name, size_hw in zip(kept, names, sizes_hw, strict=True)
        ]

    def segment(self, pictures: Sequence[Path | str | Sample]) -> list[Segmentation]:
        """Decode files or samples and say the class of every pixel of each; for segmenters.

        That of a picture that cannot be read has a ``reason`` instead.
        """
        found: list[Segmentation] = []
        for source in several(pictures):
            name = str(source.path if isinstance(source, Sample) else source)
            try:
                image = read_image(source)
            except PictureError as error:
                found.append(Segmentation(name, reason=str(error)))
                continue
            size_hw = (image.height, image.width)
            if self.card["segment"]["fit"] == "tiles":
                whole = torch.from_numpy(to_size(image, size_hw, self.channels))
                shares = self._of_tiles(whole)
            else:
                prepared = torch.from_numpy(to_size(image, self.size_hw, self.channels))[None]
                shares = self.segment_prepared(prepared)[0]
            mask = likeliest(shares, size_hw).numpy()
            found.append(Segmentation(name, self.surfaces or (), mask))
        return found

    def segment_prepared(self, pictures: Pictures) -> torch.Tensor:
        """(n, channels, H, W) uint8 of the model's own size → (n, classes, H, W) probabilities."""
        network = self._segmenter()
        mirror = bool(self.card.get("mirror"))
        blocks = blocks_of(pictures, DETECTED_TOGETHER)
        return torch.cat([segment_batch(network, block, mirror=mirror) for block in blocks])

    def _of_tiles(self, picture: torch.Tensor) -> torch.Tensor:
        """(channels, H, W) uint8 of any size → (classes, H, W) probabilities."""
        overlap = self.card["segment"]["overlap"]
        classes = len(self.surfaces or ())
        return segment_tiles(
            self.segment_prepared, picture, self.size_hw, classes=classes, overlap=overlap
        )

    def _segmenter(self) -> SegmentNetwork:
        if not isinstance(self.network, SegmentNetwork):
            raise InputError(f"{self.called} marks no pixels; train a model with --task segment")
        return self.network

    def forecast(
        self, frames: Sequence[Path | str | Sample], *, ahead: int | None = None
    ) -> UInt8Array:
        """Decode the frames of one sequence, in their order, and say the next; for forecasters.

        Returns (ahead, H, W, 3) uint8 of the model's own size, as many as it has learned to say
        unless ``ahead`` are asked for. It looks at the last ``window[0]``. Raises InputError for
        fewer frames, and for a model that is no forecaster.
        """
        seen, _ = self._window()
        sources = several(frames)
        if len(sources) < seen:
            raise InputError(
                f"the forecaster looks at {seen} frames before it says the next. Got "
                f"{len(sources)}; give more"
            )
        given = load_pictures(sources[-seen:], size_hw=self.size_hw, channels=self.channels)
        said = self.forecast_prepared(given[None], ahead=ahead)[0].expand(-1, 3, -1, -1)
        return np.ascontiguousarray(said.permute(0, 2, 3, 1).numpy())

    def forecast_prepared(self, frames: torch.Tensor, *, ahead: int | None = None) -> torch.Tensor:
        """(n, t, channels, H, W) uint8 → (n, ahead, channels, H, W) uint8: the frames after each.

        H and W are the model's own size, ``ahead`` as for ``forecast``.
        """
        _, usual = self._window()
        network = self.network
        assert isinstance(network, Forecaster)  # A card with a window makes no other.
        wanted = usual if ahead is None else ahead
        if wanted < 1:
            raise InputError(f"the number of frames must be at least 1. Got {wanted} instead")
        mirror = bool(self.card.get("mirror"))
        blocks = torch.split(frames, FORECAST_TOGETHER)
        said = [forecast_batch(network, one, ahead=wanted, mirror=mirror) for one in blocks]
        return torch.cat(said)

    def _window(self) -> tuple[int, int]:
        found = self.window
        if found is None:
            raise InputError(f"{self.called} says no frames; train a model with --task forecast")
        return found
