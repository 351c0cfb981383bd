"""Shapes as zero sets of functions: of one network, and of one with a code for each shape."""
