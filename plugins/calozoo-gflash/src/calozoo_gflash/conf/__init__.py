"""Configuration files that calozoo finds through the entry-point group ``calozoo.configs``."""
