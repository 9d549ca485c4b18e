"""Models that need no descent: each is computed from the training pictures at once."""
