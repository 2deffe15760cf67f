"""Presets of metrics."""
