"""The page that a run leaves for people."""
