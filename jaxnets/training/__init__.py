"""Training as one compiled program: the loop, its host side, checks, keys and orders."""
