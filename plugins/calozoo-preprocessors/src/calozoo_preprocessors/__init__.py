"""Preprocessors for calozoo: energy fractions, their logarithms, and learnt layer energies and shares."""
