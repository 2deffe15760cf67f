"""The variational autoencoder of the ATLAS note."""
