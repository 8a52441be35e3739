"""What a confusion matrix says. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def macro_f1(confusion: Sequence[Sequence[int]]) -> float:
    """The mean over classes of the harmonic mean of precision and recall (Sokolova & Lapalme 2009,
    doi 10.1016/j.ipm.2009.03.002), rows being the true classes. A class that is neither there nor
    predicted has none and is left out, as in scikit-learn's ``f1_score(average="macro")``.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    right, either = np.diag(counts), counts.sum(0) + counts.sum(1)
    seen = either > 0
    return float(np.mean(2 * right[seen] / either[seen])) if seen.any() else 0.0
