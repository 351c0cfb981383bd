"""Trained networks examined: predictions, linear regions, loss landscapes and constructions."""
