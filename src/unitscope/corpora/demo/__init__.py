"""The demo corpus: English written by a grammar, with gold annotation, from a seed."""
