"""Functions approximated, extrapolated and taken apart."""
