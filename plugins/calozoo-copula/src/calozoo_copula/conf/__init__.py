"""Experiments and trainers that come with the model."""
