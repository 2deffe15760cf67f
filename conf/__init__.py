"""Root configurations and the groups that the core itself defines."""
