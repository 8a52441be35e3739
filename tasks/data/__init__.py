"""Bundled data sets with their preprocessing. Only this part of ``tasks`` needs scikit-learn."""
