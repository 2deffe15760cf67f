"""A Gaussian copula of calorimeter cells, refined by a GAN."""
