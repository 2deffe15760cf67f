"""Experiments that come with the model."""
