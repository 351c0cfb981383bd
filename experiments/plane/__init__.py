"""Classification in the plane."""
