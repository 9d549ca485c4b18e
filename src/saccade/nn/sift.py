"""A bag of visual words: which kinds of keypoints a picture has.

Keypoints and their 128 numbers: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints",
IJCV 2004, by scikit-image. Words: Csurka et al., "Visual Categorization with Bags of Keypoints",
ECCV workshop 2004: the centres that k-means finds among the keypoints of training pictures.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.values import Float32Array

WORDS = 64
NUMBERS = 128  # that describe a keypoint


class Sift(nn.Module):
    """The share of each word among a picture's keypoints: ``features`` = WORDS, in [0, 1].

    All 0 for a picture without keypoints. ``learn`` finds the words; they are kept as weights are.
    """

    words: Tensor

    def __init__(self, *, channels: int, size_hw: tuple[int, int]) -> None:
        super().__init__()
        self.features = WORDS
        # A word that was not found is infinitely far from every keypoint.
        self.register_buffer("words", torch.full((WORDS, NUMBERS), torch.inf))

    def learn(self, pictures: Tensor) -> None:
        """Find the words of (n, channels, H, W) float in [0, 1]; the same for the same pictures.

        Raises InputError when there are no keypoints.
        """
        from sklearn.cluster import KMeans

        found = np.unique(np.concatenate(_keypoints(pictures)), axis=0)
        if not len(found):
            raise InputError(
                f"sift finds no keypoint in {len(pictures)} pictures of "
                f"{pictures.shape[2]}x{pictures.shape[3]}; set a larger data.size, or take hog"
            )
        means = KMeans(min(WORDS, len(found)), n_init=1, random_state=0).fit(found)
        self.words.fill_(torch.inf)
        self.words[: len(means.cluster_centers_)] = torch.from_numpy(means.cluster_centers_)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float in [0, 1] → (n, features) float."""
        bags = torch.zeros(len(pictures), WORDS)
        for bag, found in zip(bags, _keypoints(pictures), strict=True):
            apart = (torch.from_numpy(found)[:, None] - self.words).square().sum(2)
            bag += torch.bincount(apart.argmin(1), minlength=WORDS) / max(len(found), 1)
        return bags


def _keypoints(pictures: Tensor) -> list[Float32Array]:
    """The keypoints of each picture, (k, NUMBERS) float32."""
    from skimage.feature import SIFT  # Takes a moment to load.

    grey = pictures.detach().mean(1).double().numpy()
    return [_described(SIFT(), one) for one in grey]


def _described(finder: Any, grey: Any) -> Float32Array:
    try:
        finder.detect_and_extract(grey)
    except RuntimeError:  # It found none.
        return np.zeros((0, NUMBERS), np.float32)
    found: Float32Array = finder.descriptors.astype(np.float32)
    return found
