"""Vectors of words from a real text: neighbours, analogies and people's judgements (row C8; L0).

Claim: training to predict words from their neighbours yields vectors whose distances are "highly
correlated to the similarity of the corresponding words", and whose differences answer "king is to
queen what man is to ..." (woman), knee:leg elbow:... (forearm, arm) and love:indifference
fear:... (apathy), as the lecture shows for vectors of Google News.

Command: `make word2vec CORPUS=novels.txt.xz` (a UTF-8 text, plain, .gz or .xz, a folder of them or
`tfds:NAME`), about two minutes for each seed of five epochs over 14 million words on 2 cores.
Without CORPUS the 60,000 sentences of `jaxnets.text.tiny_language` are read, on which only the
first claim is judged. Protocol: continuous bag of words with negative sampling, 100 dimensions,
windows of 5, words seen 5 times or more, the defaults of `jaxnets.word2vec`; 8 seeds. Similarity is
Spearman's rank correlation with WS-353 and SimLex-999 over the pairs whose words are known; the
files are looked for in $WORDS_DIR. An analogy (a is to b as c is to ?) is solved if the lecture's
first answer is among the four best by 3CosAdd, as many as the lecture shows. What counts:
`experiments/claims/word2vec/`. Expect woman for king and queen, less for the other two: novels say
little about elbows; and SimLex, which separates likeness from mere relation, far below WS-353.
"""

from collections.abc import Callable

import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata, spearmanr, zscore

from jaxnets import plots, word2vec
from jaxnets.claims import Sample
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.text import tiny_language

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured
from . import word_vectors
from .word_vectors import SMOKE, Config, inputs

__all__ = ["CLAIMS", "SMOKE", "Config", "inputs", "plot", "run", "table"]

NEIGHBOURS_OF = ("king", "london", "horse", "four", "walked", "switzerland")
ANALOGIES = {
    "king:queen man:": ("king", "queen", "man", "woman"),
    "knee:leg elbow:": ("knee", "leg", "elbow", "forearm"),
    "love:indifference fear:": ("love", "indifference", "fear", "apathy"),
}
SHOWN = 4
"""Answers of an analogy that count, as many as the lecture shows."""
SIMILAR = "WS-353"
"""The test of words of which the pairs are saved one by one."""


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    text = word_vectors.read(config)
    trained = word_vectors.learn(config, key, text, checkpoints)
    tests = word_vectors.tests()
    groups = tests.analogies if config.corpus else tiny_language.analogies()
    scores = [word2vec.analogy_scores(t.vectors, groups) for t in trained]
    known = [name for name, score in scores[0].items() if score.asked]
    vectors = [t.vectors for t in trained]
    queries = tuple(word for word in NEIGHBOURS_OF if word in vectors[0].index)
    return {
        "corpus": np.asarray(config.corpus),
        "size": np.asarray([len(text.ids), len(text.vocabulary.words)]),
        "loss": np.stack([t.loss for t in trained]),
        "words_per_second": np.asarray([t.words_per_second for t in trained]),
        "peak_bytes": np.asarray(_peak_bytes()),
        "tests": word_vectors.as_array(tuple(tests.similarities)),
        "spearman": np.asarray(
            [
                [word2vec.spearman(v, pairs)[0] for pairs in tests.similarities.values()]
                for v in vectors
            ]
        ),
        **_judged_pairs(vectors, tests.similarities.get(SIMILAR, [])),
        "groups": word_vectors.as_array(tuple(known)),
        "solved": np.asarray([[score[name].share for name in known] for score in scores]),
        "asked": np.asarray([scores[0][name].asked for name in known]),
        "answers": np.asarray([[_answers(v, *a) for a in ANALOGIES.values()] for v in vectors]),
        "queries": word_vectors.as_array(queries),
        "neighbours": word_vectors.neighbours(vectors[0], queries, 6),
    }


def _judged_pairs(vectors: list[word2vec.Vectors], pairs: list[tuple[str, str, float]]) -> Result:
    """The known pairs' scores by people `[pairs]`, and their cosines by seed `[seeds, pairs]`."""
    known = [pair for pair in pairs if None not in map(vectors[0].row, pair[:2])]
    ones, others = [one for one, _, _ in known], [other for _, other, _ in known]
    cosines = [(v.unit[v.numbers(ones)] * v.unit[v.numbers(others)]).sum(1) for v in vectors]
    return {"human": np.asarray([score for _, _, score in known]), "cosines": np.stack(cosines)}


def _peak_bytes() -> float:
    """The most memory this process had so far; NaN where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:
        return float("nan")
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _answers(vectors: word2vec.Vectors, a: str, b: str, c: str, answer: str) -> str:
    """The best answers, or nothing if the text lacks one of the question's words."""
    if not {a, b, c, answer} <= set(vectors.index):
        return ""
    return ", ".join(word for word, _ in word2vec.analogy(vectors, a, b, c, SHOWN))


def table(result: Result) -> str:
    n, known = result["size"]
    rows = [
        [word, near] for word, near in zip(result["queries"], result["neighbours"], strict=True)
    ]
    rows += [
        [question, "; ".join(dict.fromkeys(answers)) or "words missing"]
        for question, answers in zip(ANALOGIES, result["answers"].T, strict=True)
    ]
    rows += [
        [f"Spearman, {name}", _mean_and_std(values)]
        for name, values in zip(result["tests"], result["spearman"].T, strict=True)
    ]
    every = result["solved"] @ result["asked"] / max(result["asked"].sum(), 1)
    rows.append([f"{result['asked'].sum():,} analogies solved", interval(every).percent()])
    measured = result["words_per_second"][np.isfinite(result["words_per_second"])]
    speed = f"{measured.mean() / 1e6:.2f} million words/s" if len(measured) else "trained before"
    memory = f"peak memory {result['peak_bytes'] / 2**30:.2f} GiB"
    head = (
        f"{n:,} words and line ends, {known:,} different words, {_seeds(result)}, {speed}, {memory}"
    )
    return f"{head}:\n{markdown(['word or question', 'answer'], rows)}"


def _mean_and_std(values: np.ndarray) -> str:
    one = interval(values)
    return one.decimals(3)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 2, size=(5.4, 4.2))
    _draw_loss(axes[0, 0], result)
    _draw_solved(axes[0, 1], result)
    return canvas


def _draw_loss(axes: Axes, result: Result) -> None:
    epochs, style = np.arange(1, result["loss"].shape[1] + 1), plots.styles()
    plots.spread(axes, epochs, result["loss"], f"{_seeds(result)} (± 1 std)", next(style))
    axes.set(xlabel="epoch", ylabel="mean loss of a word [nats]", xticks=epochs)
    axes.legend(fontsize="small")


def _draw_solved(axes: Axes, result: Result) -> None:
    """The share of analogies solved in each group: the mean as a bar, every seed as a dot."""
    rows, style = np.arange(len(result["groups"])), plots.styles()
    colour = next(style)["color"]
    axes.barh(rows, 100 * result["solved"].mean(0), color=colour, alpha=0.35)
    for seed in 100 * result["solved"]:
        axes.plot(seed, rows, ".", color=colour, markersize=5)
    labels = [f"{g} ({n})" for g, n in zip(result["groups"], result["asked"], strict=True)]
    axes.set_yticks(rows, labels, fontsize="small")
    axes.invert_yaxis()
    axes.set(xlabel="analogies solved, first answer right [%]", xlim=(0, 102))


def _learns(result: Result) -> dict[str, Sample]:
    loss = result["loss"]
    epochs = np.arange(loss.shape[1])
    return {
        "trend": Sample([spearmanr(epochs, -seed).statistic for seed in loss]),
        "gain": Sample(np.log(loss[:, 0] / loss[:, -1])),
    }


def _agrees(result: Result) -> Sample:
    """By pairs of words, averaged over the seeds first."""
    human = result["human"]
    if not (result["corpus"] and len(human) > 2):
        raise NotMeasured(f"needs CORPUS, and {SIMILAR} in $WORDS_DIR")
    return Sample(np.mean([influences(seed, human) for seed in result["cosines"]], axis=0))


def influences(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Divides Spearman's correlation among its pairs `[n]`: their mean is the correlation.

    Their spread is its sampling error (the influence function of a correlation, Devlin,
    Gnanadesikan and Kettenring, 1975, of ranks).
    """
    u, v = (zscore(rankdata(column)) for column in (x, y))
    rho = (u * v).mean()
    return rho + u * v - rho * (u**2 + v**2) / 2


def _solves(question: str) -> Callable[[Result], Sample]:
    place, answer = list(ANALOGIES).index(question), ANALOGIES[question][3]

    def measure(result: Result) -> Sample:
        answers = result["answers"][:, place]
        if not (result["corpus"] and all(answers)):
            raise NotMeasured(f"needs CORPUS, a text with {', '.join(ANALOGIES[question])}")
        return Sample([answer in found.split(", ") for found in answers])

    return measure


def _seeds(result: Result) -> str:
    return f"{len(result['loss'])} seeds"


CLAIMS = {
    "learns": _learns,
    "agrees_with_people": _agrees,
    "king_queen": _solves("king:queen man:"),
    "knee_leg": _solves("knee:leg elbow:"),
    "love_indifference": _solves("love:indifference fear:"),
}
