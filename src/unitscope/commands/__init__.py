"""Commands: one verb a file, each a dataclass of options and a function that runs it. Nothing heavy is imported."""
