"""Models of others, as ONNX: an embedder or a detector with a card that says what it must be fed.

``FILE.onnx`` is checked before it runs (``trust``); ``FILE.toml`` beside it is its ``card``.
"""

from pathlib import Path

from saccade.exchange.embedder import OnnxEmbedder
from saccade.values import Detector


def load_detector(path: Path | str) -> Detector:
    """Open a detector, ``FILE.onnx`` with its card ``FILE.toml``; raises InputError."""
    from saccade.exchange.detector import OnnxDetector  # It loads torchvision.

    return OnnxDetector(path)


def load_embedder(path: Path | str) -> OnnxEmbedder:
    """Open an embedder, ``FILE.onnx`` with its card ``FILE.toml``; raises InputError."""
    return OnnxEmbedder(path)
