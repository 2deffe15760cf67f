"""Presets that this package brings, one folder for each config group."""
