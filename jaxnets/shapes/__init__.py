"""Signed distances in closed form as pure functions: solids, and what is made of several (row C9).

A distance is negative inside. Points are `[..., 3]`, distances `[...]`; sizes may be traced, so
that all can be differentiated with respect to points and sizes.
"""

from jaxnets.shapes.combined import difference, smooth_union, union
from jaxnets.shapes.solids import box, capsule, sphere, torus

__all__ = ["box", "capsule", "difference", "smooth_union", "sphere", "torus", "union"]
