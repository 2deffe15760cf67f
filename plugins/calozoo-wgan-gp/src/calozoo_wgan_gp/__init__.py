"""The ATLAS note's Wasserstein GAN with gradient penalty, and what other adversarial models share with it."""
