"""Triangle meshes: files, exact distances, subdivision, genus, volume, marching cubes (row C9)."""

from jaxnets.meshes.attached import attach
from jaxnets.meshes.distance import chamfer, signed_distance
from jaxnets.meshes.marching import grid, march
from jaxnets.meshes.mesh import Mesh, as_mesh, normalise, surface_points, volume
from jaxnets.meshes.obj import read_obj, write_obj
from jaxnets.meshes.ply import read_ply, write_ply
from jaxnets.meshes.subdivision import subdivide
from jaxnets.meshes.topology import components, genus

__all__ = [
    "Mesh",
    "as_mesh",
    "attach",
    "chamfer",
    "components",
    "genus",
    "grid",
    "march",
    "normalise",
    "read_obj",
    "read_ply",
    "signed_distance",
    "subdivide",
    "surface_points",
    "volume",
    "write_obj",
    "write_ply",
]
