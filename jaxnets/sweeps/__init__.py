"""Searches for the choices of a run: grids, random draws, successive halving; their tables."""

from jaxnets.sweeps.halving import halving_search
from jaxnets.sweeps.result import Run, SearchResult, table
from jaxnets.sweeps.search import grid_search, random_search

__all__ = ["Run", "SearchResult", "grid_search", "halving_search", "random_search", "table"]
