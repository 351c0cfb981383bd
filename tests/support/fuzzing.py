"""What the random tests share: wild values, damaged files, and what counts as a right answer."""

import contextlib
import random
import signal
import traceback
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import experiments
import jaxnets
from tests.fuzz.damage import damage_files

OURS = tuple(str(Path(package.__file__).parent) for package in (jaxnets, experiments))
ERRORS = (
    *(ValueError, TypeError, KeyError, NotImplementedError),
    *(FileNotFoundError, ModuleNotFoundError, FloatingPointError, MemoryError),
)
"""`DivergedError` is a FloatingPointError, `OutOfMemoryError` a MemoryError."""
SECONDS = 60
"""What a call may take of a core, compiling included."""
WAIT = 4 * SECONDS
"""What it may take on a busy machine."""
MANY = 14
"""How many times as many examples the long tests have."""


def answer(call, *also):
    """What a call returns, or the error that is its answer: one of ours, with a message.

    `also` are folders of packages whose own checks are documented as ours, such as scikit-learn's.

    Raises:
        AssertionError: the error came from deeper than this package, or says nothing.
    """
    with _deadline():
        try:
            return call()
        except ERRORS as error:
            found = error
    last = traceback.extract_tb(found.__traceback__)[-1]
    if not last.filename.startswith((*OURS, *also)) or not str(found):
        raise AssertionError(f"not ours: {last.filename}:{last.lineno}, {found!r}") from found
    return found


@contextlib.contextmanager
def _deadline():
    def give_up(number, _):
        worked = number == signal.SIGPROF
        raise RuntimeError(
            f"no answer within {f'{SECONDS} s of a core' if worked else f'{WAIT} s'}"
        )

    before = {number: signal.signal(number, give_up) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(WAIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def refused(value):
    """Whether an answer is an error."""
    return isinstance(value, BaseException)


def finite(tree):
    """Whether every float of a tree of arrays is finite."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")]
    floats = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in floats)


def run(check, strategies, examples, many=False):
    """Tries a check on this many random examples: always the same ones, or `MANY` times as many."""
    test = given(**strategies)(lambda **drawn: check(**drawn))
    limits = settings(
        max_examples=examples * (MANY if many else 1),
        derandomize=not many,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    (seed(0)(limits(test)) if many else limits(test))()


SCALARS = (
    *(None, True, "", "a", "0.1", b"x", 1j, (), [], {}, (1,), [1, 2], (2, 1), (1, 2, 3), (None, 1)),
    *(-1, 0, 1, 2, 3, -(2**70), 2**70, 2.0, 2.5, 0.1, -0.5, 1e-30, 1e30, 1e300),
    *(float("nan"), float("inf"), float("-inf"), np.float16(0.5), np.int8(2), np.bool_(True)),
    *(np.ones(2), np.ones((1, 1)), np.zeros(0), np.array("a"), np.array(None), jnp.float32(0.5)),
)
wild = st.sampled_from(SCALARS)


def either(*good):
    """One of the good values, more often than a wild one."""
    return st.one_of(*[st.sampled_from(good)] * 3, wild)


ODD = (ValueError, TypeError, IndexError, OverflowError)
"""What NumPy says to a change that an array cannot have; it then stays as it is."""
CHANGES = {
    "nothing": lambda a: a,
    "nan": lambda a: _put(a, np.nan),
    "infinity": lambda a: _put(a, -np.inf),
    "huge": lambda a: _put(a, 1e300),
    "large": lambda a: _put(a, 3e38),
    "minus one": lambda a: _put(a, -1),
    "a thousand": lambda a: _put(a, 1000),
    "a column": lambda a: a[..., None],
    "no column": lambda a: a[..., 0],
    "no rows": lambda a: a[:0],
    "no features": lambda a: a[..., :0],
    "fewer rows": lambda a: a[:-1],
    "fewer features": lambda a: a[..., :-1],
    "one in front": lambda a: a[None],
    "turned": lambda a: a.T,
    "flat": lambda a: a.ravel(),
    "reversed": lambda a: a[::-1],
    "by columns": np.asfortranarray,
    "lists": lambda a: a.tolist(),
    "ragged": lambda a: [[1.0, 2.0], [3.0]],
    "of JAX": jnp.asarray,
    "masked": np.ma.masked_array,
    "none": lambda a: None,
    "a word": lambda a: "word",
    "a number": lambda a: 3.5,
    "a dict": lambda a: {"x": a},
    **{
        name: lambda a, name=name: a.astype(name)
        for name in (
            *("float64", "float32", "float16", "longdouble", "complex64", "bool", "uint8", "int8"),
            *("int32", "int64", "uint64", "str", "object", "datetime64[s]"),
        )
    },
}


def _put(array, value):
    array = array.astype(np.result_type(array.dtype, np.min_scalar_type(value)))
    array.ravel()[-1:] = value
    return array


def changed(array):
    """The array with up to two changes, mostly none."""
    names = st.sampled_from([*["nothing"] * len(CHANGES), *CHANGES])
    return st.tuples(names, names).map(lambda pair: _changed(array, pair))


def _changed(array, names):
    for name in names:
        if isinstance(array, np.ndarray):
            with np.errstate(all="ignore"), contextlib.suppress(*ODD):
                array = CHANGES[name](array)
    return array


def damaged(files):
    """A folder's files, `{name: content}`, after random damage."""
    return st.integers(0, 2**32).map(lambda seed: damage_files(random.Random(seed), files))
