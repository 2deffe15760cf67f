"""Geant4 photon showers for calozoo; the data sheet is DATASHEET.md beside this file."""
