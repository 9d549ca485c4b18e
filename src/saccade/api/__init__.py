"""What Saccade does, one file a command group; the only reader of recipes."""
