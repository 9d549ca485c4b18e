"""Looking through a gallery: what is probably wrong in it, and who the unnamed pictures show."""

from saccade.review.findings import KINDS, Checked, Finding, Members
from saccade.review.identities import check_vectors
from saccade.review.thumbnails import check_thumbnails

__all__ = ["KINDS", "Checked", "Finding", "Members", "check_thumbnails", "check_vectors"]
