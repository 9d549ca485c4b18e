"""The training loop, its records, checkpoints and run folders."""
