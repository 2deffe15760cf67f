"""Observables, metrics and figures that judge generated showers against a reference.

Nothing is imported here: the names of metrics and presets are looked up without loading numpy or matplotlib.
"""
