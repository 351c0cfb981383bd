"""Analysis of networks: predictions, linear regions, loss landscapes and constructions."""
