"""Pictures from disk: readers, decoding, batches, splits."""
