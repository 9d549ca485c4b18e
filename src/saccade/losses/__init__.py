"""Losses by name.

VECTOR_LOSSES, for embedding: built with classes, dimension, margin, scale; called with (vectors,
targets). LOGIT_LOSSES, for classification: built with smoothing; called with (logits, targets).
"""

from saccade.losses.arcface import ArcFace
from saccade.losses.cross_entropy import CrossEntropy
from saccade.losses.triplet import BatchHardTriplet, SemiHardTriplet

VECTOR_LOSSES = {
    "arcface": ArcFace,
    "triplet": BatchHardTriplet,
    "triplet_semi_hard": SemiHardTriplet,
}
LOGIT_LOSSES = {"cross_entropy": CrossEntropy}
LOSSES = {**VECTOR_LOSSES, **LOGIT_LOSSES}
