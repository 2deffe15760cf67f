"""The CaloChallenge's cylindrical geometries for calozoo."""
