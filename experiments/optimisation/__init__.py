"""Gradient descent, loss landscapes, batches and regularisation."""
