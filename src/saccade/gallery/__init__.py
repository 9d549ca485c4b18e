"""A gallery: enrolled pictures, identities and vectors in one folder, with SQLite as the truth."""

from saccade.gallery.answers import (
    BulkEnrolled,
    Enrolled,
    Forgotten,
    GalleryStats,
    IdentityDetails,
    IdentityInfo,
    Verified,
)
from saccade.gallery.gallery import Gallery

__all__ = [
    "BulkEnrolled",
    "Enrolled",
    "Forgotten",
    "Gallery",
    "GalleryStats",
    "IdentityDetails",
    "IdentityInfo",
    "Verified",
]
