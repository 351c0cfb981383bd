"""Gradients: by hand against automatic, their cost, and how they vanish."""
