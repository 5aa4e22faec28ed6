"""Rankings of units: orderings with their origin, how they are made, and how far they agree."""
