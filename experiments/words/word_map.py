"""A map of words: t-SNE, distances between pairs, neighbours and analogies (row F16; L0).

Claim: "it's magic": vectors learned from a text alone lie so that t-SNE's map in two dimensions
puts words of one kind together, and distances between pairs of words follow what they mean. The
lecture shows both for the Harry Potter books.

Command: `make word_map CORPUS=novels.txt.xz`, or without CORPUS the sentences of
`jaxnets.text.tiny_language`, on which no claim is judged, as that was written with its kinds of
words. Protocol: vectors as in `word2vec`, 8 seeds; a list of words of known kinds (numbers, months,
colours, kin, ...; in the tiny language capitals, countries, languages, money, men, women), if they
occur 20 times in the text and are not alone in their kind; scikit-learn's t-SNE of these words'
unit vectors, perplexity 5. For every word: whether the nearest other word on the map is of its
kind, against the share that is with kinds dealt at random (200 deals); and its mean cosine with
words of its kind, against that with all others. Intervals are over seeds and words. What counts:
`experiments/claims/word_map/`. Expect both far above chance, and kinds such as months in clusters
of their own.
"""

from collections import Counter
from itertools import cycle

import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.text import tiny_language
from jaxnets.text.vocabulary import Vocabulary

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured
from . import word_vectors
from .word_vectors import SMOKE, Config, inputs

__all__ = ["CLAIMS", "SMOKE", "Config", "inputs", "plot", "run", "table"]

KINDS = {
    "numbers": "one two three four five six seven eight nine ten twelve twenty fifty hundred",
    "months": "january february march april may june july august september october november",
    "days": "monday tuesday wednesday thursday friday saturday sunday",
    "colours": "red blue green yellow white black brown grey pink purple",
    "kin": "mother father sister brother uncle aunt cousin nephew niece daughter son",
    "animals": "horse dog cat cow sheep pig bird fish wolf lion",
    "body": "hand arm leg foot eye ear nose mouth shoulder knee elbow finger",
    "places": "london paris rome england france italy germany scotland america india",
}
LEAST = 20
PERPLEXITY = 5
DEALS = 200
SIDES = {"left": (6, -3), "right": (-6, -3), "center": (0, 6)}
"""Where the map labels the first, second and third word of each kind."""
PAIRS = 12
"""Words of the matrix of distances, taken from the first kinds in turn."""


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    text = word_vectors.read(config)
    names, kinds = _choose(_kinds(config), text.vocabulary)
    trained = word_vectors.learn(config, key, text, checkpoints)
    unit = [t.vectors.unit[t.vectors.numbers(names)] for t in trained]
    maps = np.stack([_tsne(rows, config.seed) for rows in unit])
    rng = np.random.default_rng(config.seed)
    dealt = [rng.permutation(kinds) for _ in range(DEALS)]
    cosines = np.stack([rows @ rows.T for rows in unit])
    within, between = zip(*(cosines_by_kind(c, kinds) for c in cosines), strict=True)
    return {
        "corpus": np.asarray(config.corpus),
        "words": word_vectors.as_array(names),
        "kinds": kinds,
        "map": maps[0],
        "cosines": cosines[0],
        "together": np.stack([nearest_alike(m, kinds) for m in maps]),
        "by_chance": np.stack([np.mean([nearest_alike(m, d) for d in dealt], 0) for m in maps]),
        "within": np.stack(within),
        "between": np.stack(between),
        "nearest": word_vectors.neighbours(trained[0].vectors, names, 5),
    }


def _kinds(config: Config) -> dict[str, str]:
    if config.corpus:
        return KINDS
    places, people = tiny_language.TOPICS["capitals"].rows, tiny_language.TOPICS["kin"].rows
    columns = {"capital": places, "country": places, "language": places, "money": places}
    return {
        name: " ".join(row[name] for row in rows)
        for name, rows in (columns | {"he": people, "she": people}).items()
    }


def _choose(kinds: dict[str, str], vocabulary: Vocabulary) -> tuple[tuple[str, ...], np.ndarray]:
    """The words that are frequent enough, not alone in their kind, and the kind of each."""
    counts = dict(zip(vocabulary.words, vocabulary.counts, strict=True))
    found = [
        (word, kind)
        for kind, words in kinds.items()
        for word in words.split()
        if counts.get(word, 0) >= LEAST
    ]
    sizes = Counter(kind for _, kind in found)
    found = [(word, kind) for word, kind in found if sizes[kind] > 1]
    if len({kind for _, kind in found}) < 2:
        raise ValueError(
            f"fewer than two of {', '.join(kinds)} occur {LEAST} times: use another CORPUS"
        )
    return tuple(word for word, _ in found), np.asarray([kind for _, kind in found])


def _tsne(rows: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)


def nearest_alike(places: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Tells of each point of `[n, 2]` whether its nearest other point is of its kind: 1 or 0."""
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return (kinds[distances.argmin(1)] == kinds).astype(float)


def cosines_by_kind(cosines: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes each word's mean cosine with the others of its kind, and with all other kinds."""
    same = kinds[:, None] == kinds
    fellows = same & ~np.eye(len(kinds), dtype=bool)
    return tuple(np.mean(cosines, axis=1, where=chosen) for chosen in (fellows, ~same))


def table(result: Result) -> str:
    _, first = np.unique(result["kinds"], return_index=True)
    rows = [[result["kinds"][i], result["words"][i], result["nearest"][i]] for i in sorted(first)]
    together, chance = (interval(result[name].mean(1)) for name in ("together", "by_chance"))
    within, between = (interval(result[name].mean(1)) for name in ("within", "between"))
    return (
        f"{len(result['together'])} seeds, {len(result['words'])} words: {together.percent()} "
        f"next to their kind, by chance {chance.percent()}; cosine {within.decimals(2)} within a "
        f"kind, {between.decimals(2)} between:\n"
        f"{markdown(['kind', 'word', 'nearest of all words'], rows)}"
    )


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 2, size=(7.2, 6.2))
    _draw_map(axes[0, 0], result)
    _draw_distances(axes[0, 1], result)
    return canvas


def _draw_map(axes: Axes, result: Result) -> None:
    kinds = list(dict.fromkeys(result["kinds"].tolist()))
    for kind, style in zip(kinds, plots.styles(), strict=False):
        chosen = result["kinds"] == kind
        x, y = result["map"][chosen].T
        axes.plot(x, y, linestyle="none", label=kind, **{k: style[k] for k in ("color", "marker")})
    for i, (side, offset) in zip(
        _first_of_each(result["kinds"], len(SIDES)), cycle(SIDES.items()), strict=False
    ):
        axes.annotate(
            result["words"][i],
            result["map"][i],
            xytext=offset,
            textcoords="offset points",
            fontsize="small",
            ha=side,
        )
    axes.set(title="t-SNE of the unit vectors, first seed", xticks=[], yticks=[])
    axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=4)


def _draw_distances(axes: Axes, result: Result) -> None:
    """1 - cosine of all pairs of a few words."""
    kinds = len(np.unique(result["kinds"]))
    chosen = _first_of_each(result["kinds"], -(-PAIRS // kinds))[:PAIRS]
    distances = np.maximum(1 - result["cosines"][np.ix_(chosen, chosen)], 0)
    picture = axes.imshow(distances, cmap="Greys_r", vmin=0, vmax=max(1.0, distances.max()))
    for (i, j), value in np.ndenumerate(distances):
        shade = "white" if value < 0.5 else "black"
        axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize="xx-small", color=shade)
    names = result["words"][chosen]
    axes.set_xticks(range(len(chosen)), names, rotation=60, ha="right", fontsize="small")
    axes.set_yticks(range(len(chosen)), names, fontsize="small")
    axes.grid(visible=False)
    axes.set(title="distance 1 - cosine between words")
    picture.axes.figure.colorbar(picture, ax=axes, shrink=0.7)


def _first_of_each(kinds: np.ndarray, n: int) -> np.ndarray:
    """The indices of the first n words of every kind."""
    each = [np.flatnonzero(kinds == kind)[:n] for kind in dict.fromkeys(kinds.tolist())]
    return np.concatenate(each)


def _kinds_together(result: Result) -> Sample:
    _require_corpus(result)
    return Sample(100 * result["together"], 100 * result["by_chance"])


def _distances_follow(result: Result) -> Sample:
    _require_corpus(result)
    return Sample(result["within"], result["between"])


def _require_corpus(result: Result) -> None:
    if not result["corpus"]:
        raise NotMeasured("needs CORPUS: the tiny language was written with its kinds of words")


CLAIMS = {"kinds_together": _kinds_together, "distances_follow": _distances_follow}
