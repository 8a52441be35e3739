"""The 569 tumours of the Breast Cancer Wisconsin (Diagnostic) set that scikit-learn carries
(doi 10.24432/C5DW2B): ten properties, each as mean, standard error and worst value.

Split: 398 train, 57 validation, 114 test.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.base import Splits
from tasks.data.split import split

VALIDATION, TEST = 57, 114


@dataclass(frozen=True, kw_only=True)
class BreastCancer:
    """Sequences of 3 steps (mean, error, worst) x 10 properties; class 1 is benign. Every feature
    is standardised with the mean and deviation of the training part.
    """

    @property
    def name(self) -> str:
        return "breast cancer, 3 steps x 10"

    def load(self) -> Splits:
        from sklearn.datasets import load_breast_cancer

        bunch = load_breast_cancer()
        steps = bunch.data.reshape(-1, 3, 10)
        trained = split(steps, bunch.target, bunch.target, VALIDATION, TEST).train.inputs
        standard = (steps - trained.mean(axis=0)) / trained.std(axis=0)
        return split(standard, bunch.target, bunch.target, VALIDATION, TEST)
