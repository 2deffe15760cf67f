"""An endless source of parametrised electromagnetic showers for calozoo, in any geometry."""
