"""The parts of a comparison of two atlases: its sides, how units are paired, and its tables."""
