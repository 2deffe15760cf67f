"""The metrics, found by their entry points."""
