"""The poster's "E discriminator" for any adversarial model."""
