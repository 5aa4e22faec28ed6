"""Reports on an atlas: terminal tables."""
