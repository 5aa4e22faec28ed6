"""What could be said without the network: the most frequent class, and what each word form mostly was in training.

A probe that does no better than the second has read which word it is, whatever else its units hold. Forms never seen
in training get the most frequent class of all (for numbers the mean). On images a form is what a cell looks like.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unitscope.probes.base import Labels, Targets


def majority(train: Labels | Targets, n_sites: int) -> NDArray[np.int32] | NDArray[np.float64]:
    """The training sites' most frequent class (the first of several), or their mean, at each of `n_sites` sites."""
    if isinstance(train, Labels):
        return np.full(n_sites, int(np.argmax(train.counts())), np.int32)
    return np.full(n_sites, train.values[train.labelled].mean())


def by_form(
    train: Labels | Targets, form: NDArray[np.integer], held_form: NDArray[np.integer]
) -> NDArray[np.int32] | NDArray[np.float64]:
    """What word identity alone says at sites with the forms `held_form`, learnt from training sites' `form` [S].

    >>> seen = Labels(("N", "V"), np.array([0, 0, 1, 1, 1], np.int32))
    >>> by_form(seen, np.array([7, 7, 7, 9, 9]), np.array([7, 9, 8])).tolist()
    [0, 1, 1]
    """
    labelled = train.labelled
    forms, index = np.unique(form[labelled], return_inverse=True)
    whole = majority(train, 1)[0]
    if isinstance(train, Labels):
        cell = index * train.n_classes + train.of_site[labelled]
        counts = np.bincount(cell, minlength=len(forms) * train.n_classes).reshape(len(forms), train.n_classes)
        # Of classes that are equally frequent in a form, the one that is more frequent at large.
        of_form = np.argmax(counts + train.counts() / (train.counts().sum() + 1.0), axis=1)
    else:
        of_form = np.bincount(index, weights=train.values[labelled]) / np.maximum(np.bincount(index), 1)
    place = np.clip(np.searchsorted(forms, held_form), 0, max(len(forms) - 1, 0))
    known = forms[place] == held_form if len(forms) else np.zeros(len(held_form), np.bool_)
    found = np.where(known, of_form[place] if len(forms) else whole, whole)
    return np.asarray(found, np.int32) if isinstance(train, Labels) else np.asarray(found, np.float64)
