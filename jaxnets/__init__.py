"""Neural networks as pure functions on JAX: models, gradients by hand, training in one program.

    import jax, jaxnets as jn
    from jaxnets.data import load

    model = jn.MLP((64,), outputs=10, activation="relu")
    spec = jn.TrainSpec(model, "softmax_cross_entropy", epochs=20, batch_size=32)
    state, history = jn.fit(spec, jax.random.key(0), load("digits"), {"learning_rate": 1e-3})

Training
    TrainSpec           the static choices of a run
    fit                 trains one network
    fit_stream          trains one network on batches from outside, or on arrays in a file
    sweep, grid         trains many networks in one program; the product of hyper-parameters
    grid_search, random_search, halving_search
                        try choices of any kind: activations, sizes, optimizers, rates
    table               what a sweep found, a dict for each network
    train               one run as a pure function: jit it, vmap it, differentiate it
    make_step, State    one update as a scan body; what it carries
    CheckpointConfig    where to save checkpoints, from which a run resumes bit for bit
    EarlyStopping       when to end a run, whose best params are returned
    metrics, hooks      what a run records besides its loss, and who hears of it
    DivergedError       a loss that is not finite, with the last finite state

Networks on paper and on disk
    summary             layers with shapes, params and operations
    save, load          a network in one file, with its params and what else belongs to it

Networks and losses
    MLP, ResidualMLP    multi-layer perceptrons; more in jaxnets.models
    CNN                 a tuple of layers for images; the layers are in jaxnets.models
    Objective           mean loss plus penalties, with metrics
    LOSSES, Loss            losses by name, each with its gradient by hand
    ACTIVATIONS, Activation activations by name, each with its derivative

Devices
    use_all_cores       every CPU core is a device; call it before the first computation
    cache_compilations  keeps compiled programs for the next process
    parallel_map        any pure function for many rows, spread over all devices

Packages
    data, text          data sets and problems of the plane; texts as numbers
    backprop            forward and backward passes by hand, a drop-in for jax.value_and_grad
    models, ops         networks and layers; convolution and pooling, fast on CPUs too
    shapes, meshes      signed distances; triangle meshes, and gradients from vertices to a code
    word2vec            word vectors: training, neighbours, analogies, files
    classical           perceptron, logistic regression, AdaBoost, SVMs, k-NN
    analysis, plots     outputs, accuracy, linear regions, loss landscapes; figures
    converge            L-BFGS and Levenberg-Marquardt from many starts: what a network can find
    estimator, search   MLPClassifier, CNNClassifier, MLPRegressor, SweepSearchCV: scikit-learn's
    parallel, launch    one run on many devices, processes and machines
    playground          a page in the browser where networks train live
    storage             checkpoints, run folders, TensorBoard scalars

help(jaxnets.fit) and the like explain each; README.md and docs/ have the rest.
"""

from importlib.metadata import version

from jaxnets.activations import ACTIVATIONS as ACTIVATIONS
from jaxnets.activations import Activation as Activation
from jaxnets.analysis.summary import summary as summary
from jaxnets.losses import LOSSES as LOSSES
from jaxnets.losses import Loss as Loss
from jaxnets.models import CNN as CNN
from jaxnets.models import MLP as MLP
from jaxnets.models import ResidualMLP as ResidualMLP
from jaxnets.objective import Objective as Objective
from jaxnets.parallel.devices import cache_compilations as cache_compilations
from jaxnets.parallel.devices import use_all_cores as use_all_cores
from jaxnets.parallel.rows import parallel_map as parallel_map
from jaxnets.storage.checkpoints import CheckpointConfig as CheckpointConfig
from jaxnets.sweeps import grid_search as grid_search
from jaxnets.sweeps import halving_search as halving_search
from jaxnets.sweeps import random_search as random_search
from jaxnets.sweeps import table as table
from jaxnets.training.driver import DivergedError as DivergedError
from jaxnets.training.fit import fit as fit
from jaxnets.training.fit_stream import fit_stream as fit_stream
from jaxnets.training.loop import State as State
from jaxnets.training.loop import make_step as make_step
from jaxnets.training.loop import train as train
from jaxnets.training.spec import TrainSpec as TrainSpec
from jaxnets.training.stopping import EarlyStopping as EarlyStopping
from jaxnets.training.sweep import grid as grid
from jaxnets.training.sweep import sweep as sweep
from jaxnets.weights.saved import load as load
from jaxnets.weights.saved import save as save

__version__ = version("jaxnets")
