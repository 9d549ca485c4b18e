"""Losses by name: built with classes, dimension, margin, scale; called with (vectors, targets)."""

from saccade.losses.arcface import ArcFace
from saccade.losses.triplet import BatchHardTriplet, SemiHardTriplet

LOSSES = {
    "arcface": ArcFace,
    "triplet": BatchHardTriplet,
    "triplet_semi_hard": SemiHardTriplet,
}
