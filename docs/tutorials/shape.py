# %% [markdown]
# # A shape from its distances
#
# How would you store a shape? As triangles, or as a function: for each point in space, how far is
# it to the surface? Inside the distance is negative, and the surface is where it is 0. A network
# can learn such a function from examples (Park and others, "DeepSDF", 2019).

# %%
import jax
import jax.numpy as jnp
import numpy as np

import jaxnets as jn
from jaxnets import meshes, plots, shapes
from jaxnets.data import from_arrays

# %% [markdown]
# ## A shape to learn
#
# `jaxnets.shapes` has exact distances to simple solids. Ours is a ring with a ball on it, in
# units of half the edge of the cube that we look at.


# %%
def distance(points):
    ring = shapes.torus(points, 0.55, 0.2)
    ball = shapes.sphere(points - jnp.array([[0.55, 0.0, 0.0]]), 0.32)
    return shapes.union(ring, ball)


examples = jax.random.uniform(jax.random.key(0), (16_000, 3), minval=-1, maxval=1)
data = from_arrays(examples, distance(examples)[:, None], fractions=(0.8, 0.2, 0))
print("a point and its distance:", data.train["x"][0], data.train["y"][0])

# %% [markdown]
# ## Learn it
#
# Three numbers in, one number out: a regression with squared error.

# %%
model = jn.MLP((64, 64), outputs=1, activation="relu")
spec = jn.TrainSpec(model, "squared_error", epochs=60, batch_size=128)
state, history = jn.fit(spec, jax.random.key(1), data, {"learning_rate": 3e-3})
grid = meshes.grid(32)
learned = np.asarray(model.apply(state.params, grid))[:, 0]
exact = np.asarray(distance(grid))
print("typical error of a distance:", np.abs(learned - exact).mean())

# %% [markdown]
# ## Compare
#
# The overlap of two shapes: the volume that is in both, over the volume that is in either. The dotted
# line is the exact outline of a slice, the other one what was learned.

# %% A slice through the middle: the learned outline lies on the exact one, a ring with a ball
print("overlap:", ((learned < 0) & (exact < 0)).sum() / ((learned < 0) | (exact < 0)).sum())
side = np.linspace(-1, 1, 80)
plane = np.stack([*np.meshgrid(side, side), np.zeros((80, 80))], axis=-1).reshape(-1, 3)
canvas, axes = plots.figure(size=(4.5, 4.0))
found = np.asarray(model.apply(state.params, plane)).reshape(80, 80)
axes[0, 0].contour(side, side, found, levels=[0], colors=plots.COLOURS[1])
axes[0, 0].contour(side, side, np.asarray(distance(plane)).reshape(80, 80), [0], linestyles=":")
axes[0, 0].set(xlabel="$x$", ylabel="$y$", aspect="equal")
axes[0, 0].set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
canvas

# %% [markdown]
# ## Triangles
#
# `march` finds the surface (marching cubes; it needs `pip install 'jaxnets[experiments]'`). The
# genus counts its holes: a ring has one. `meshes.write_obj` writes a file for your 3-D program.

# %%
mesh = meshes.march(learned.reshape(32, 32, 32))
print(len(mesh.vertices), "vertices, genus", meshes.genus(mesh))

# %% [markdown]
# ## What next
#
# `meshes.read_obj` and `meshes.signed_distance` give the examples for a shape of your own. A
# whole family of shapes in one network, with a code for each, is in lecture L0.
