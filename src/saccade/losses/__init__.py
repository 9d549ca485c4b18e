"""Losses by name: built with classes, dimension, margin, scale; called with (vectors, targets)."""

from saccade.losses.arcface import ArcFace
from saccade.losses.triplet import BatchHardTriplet

LOSSES = {"arcface": ArcFace, "triplet": BatchHardTriplet}
