"""An embedder that averages a picture's vector with that of its mirror image.

Horizontal flips at test time: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with
deep convolutional neural networks", NIPS 2012, section 4.1; of embeddings of faces: O. M. Parkhi,
A. Vedaldi, A. Zisserman, "Deep face recognition", BMVC 2015, section 5.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from saccade.gallery.enrol import embedded
from saccade.values import Embedder, Float32Array, UInt8Array


class Mirrored:
    """``embedder`` with mirror images: a picture and its mirror image get the same vector.

    Its fingerprint is another than the embedder's, so that no vectors of both kinds are mixed.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.dimension = embedder.dimension
        self.fingerprint = fingerprint(embedder.fingerprint)

    def __call__(self, pictures: Sequence[UInt8Array]) -> Float32Array:
        """Return (n, dimension) float32 rows of length 1, at twice the cost.

        Where the two vectors cancel out, the sum of them has no direction: the lesser of the two,
        value by value, stands for both.
        """
        plain = embedded(self.embedder, pictures)
        turned = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
        other = embedded(self.embedder, turned)
        rows = plain + other
        lengths = np.linalg.norm(rows, axis=1)
        for row in np.flatnonzero(lengths == 0):
            rows[row] = min(plain[row], other[row], key=np.ndarray.tolist)
        lengths[lengths == 0] = 1.0
        means: Float32Array = rows / lengths[:, None]
        return means


def fingerprint(plain: str) -> str:
    """Return the fingerprint of ``Mirrored``, from that of its embedder."""
    return hashlib.sha256(f"mirrored {plain}".encode()).hexdigest()
