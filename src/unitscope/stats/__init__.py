"""Statistics that measures ask for: exact on keys, mergeable over sites where a merge exists."""
