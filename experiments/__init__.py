"""Experiments that test the figures, tables and claims of five lectures; see `lab`."""
