"""Analysis of networks: outputs, predictions, linear regions, loss landscapes and constructions."""
