"""The revised GAN of the ATLAS poster."""
