"""`python -m unitscope`: the command line."""

from __future__ import annotations

from unitscope.cli import main

if __name__ == "__main__":
    main()
