"""Data sources for calozoo: shower files of your own, and raw cell lists."""
