"""Probes: what can be read from the values of units, and from which of them.

A probe is fitted to some sites and judged at others whose groups it never saw; what must be chosen is chosen within the
training groups. `base` has what goes in, `linear` fits regressions under an elastic net, `choose` finds the penalty,
`repeats` gives intervals.
"""
