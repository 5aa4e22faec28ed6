"""Studies: what to run, the passes that run it, and the atlas they end in."""
