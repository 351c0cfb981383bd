"""Activations, output units and threshold units."""
