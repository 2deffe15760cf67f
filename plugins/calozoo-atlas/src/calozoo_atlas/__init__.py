"""The ATLAS-like electromagnetic barrel for calozoo."""
