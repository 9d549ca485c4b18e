"""A gallery: enrolled pictures, identities and vectors in one folder, with SQLite as the truth."""

from saccade.gallery.answers import (
    AuditLog,
    BulkEnrolled,
    CropInfo,
    Enrolled,
    Forgotten,
    GalleryStats,
    IdentityDetails,
    IdentityInfo,
    Logged,
    Moved,
    Rejected,
    Verified,
)
from saccade.gallery.gallery import Gallery

__all__ = [
    "AuditLog",
    "BulkEnrolled",
    "CropInfo",
    "Enrolled",
    "Forgotten",
    "Gallery",
    "GalleryStats",
    "IdentityDetails",
    "IdentityInfo",
    "Logged",
    "Moved",
    "Rejected",
    "Verified",
]
