"""Curves without a clock: their data, where they bend, the roofline, and the page made of them."""

import dataclasses
import importlib

import pytest

from benchmarks.growth import curves, report, roofline, timing, zipf
from benchmarks.growth.axes import AXES, shape
from benchmarks.growth.curves import Curve, Point, Step
from benchmarks.results import Circumstances

AT = Circumstances("2026-01-01", "a processor", 2, {"python": "3.11"}, "abc")


def curve(ours=(1.0, 1.0, 1.0), peer=(2.0, 2.0, 2.0), weak=(9.0, 9.0, 9.0), load=0.0):
    rows = {"jaxnets": ours, "peer": peer, "weak": weak}
    points = [
        Point(10**i, label, [1e-6 * s] * 3, 5.0, load)
        for label, seconds in rows.items()
        for i, s in enumerate(seconds)
    ]
    bounds = [(10**i, 5e-7) for i in range(3)]
    return Curve("width", "a unit", "jaxnets", AT, 1e11, 2e10, bounds, points, {"C": "needs g++"})


def test_a_flat_curve_is_linear_growth():
    assert curves.worse_than_linear(curve(), "jaxnets") == []
    assert curves.worse_than_linear(curve((3.0, 2.0, 2.4)), "jaxnets") == []


def test_where_a_unit_costs_more_the_growth_is_worse_than_linear():
    (step,) = curves.worse_than_linear(curve((1.0, 0.5, 1.0)), "jaxnets")
    assert step == Step(10, 100, pytest.approx(2.0))
    assert (
        "From 10 to 100 a unit of ours costs 2.00 times as much: not explained yet."
        in "\n".join(report.curve_lines(curve((1.0, 0.5, 1.0))))
    )


def test_a_crossing_lies_where_the_strongest_peer_overtakes():
    assert curves.crossings(curve()) == []
    assert curves.crossings(curve((1.0, 1.0, 1.0), (2.0, 0.5, 0.5))) == [(1, 10)]
    text = "\n".join(report.curve_lines(curve((1.0, 1.0, 1.0), (2.0, 2.0, 0.5))))
    assert "- A peer is faster at 100 (peer)." in text
    assert "- The order changes between 10 and 100." in text


def test_the_strongest_peer_may_change():
    found = curve(peer=(2.0, 2.0, 2.0), weak=(1.5, 3.0, 3.0)).strongest
    assert [found[value].label for value in (1, 10, 100)] == ["weak", "peer", "peer"]


def test_curves_survive_a_file(tmp_path):
    path = curves.save(curve(), tmp_path)
    assert path == tmp_path / "width" / "2026-01-01.json"
    assert curves.latest("width", tmp_path) == curve()
    assert curves.latest("depth", tmp_path) is None


def test_a_curve_of_a_loaded_machine_is_no_result(tmp_path):
    loaded = dataclasses.replace(curve(load=0.5))
    curves.save(loaded, tmp_path)
    assert curves.latest("width", tmp_path) is None
    assert "no result" in report.curve_lines(loaded)[0]


def test_a_row_has_the_times_the_roofline_and_the_ratio():
    line = report.curve_lines(curve())[4]
    assert line == (
        "| 1 | 1 µs, 5 MB | 2 µs, 5 MB | 9 µs, 5 MB | 0.5 µs (50% reached) | 0.50 (peer) |"
    )
    assert "- C: not measured, needs g++" in report.curve_lines(curve())


def test_the_figure_is_drawn(tmp_path):
    path = report.draw(curve(), tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_roofline_is_the_larger_of_arithmetic_and_traffic():
    assert roofline.bound(1e9, 0.0, 1e10, 1e9) == pytest.approx(0.1)
    assert roofline.bound(1e9, 1e9, 1e10, 1e9) == pytest.approx(1.0)


def test_units_of_a_perceptron_have_their_arithmetic():
    """Six operations a weight and sample: 784-100-10 has 79,400 weights."""
    assert AXES["batch"].flops(64) == 6 * 79_400
    assert AXES["width"].flops(100) == 6 * 64 * 794
    assert AXES["depth"].flops(2) == 6 * 64 * (78_400 + 10_000 + 1_000) / 2
    assert AXES["batch"].bytes(64) == 0  # all in a cache
    assert AXES["batch"].bytes(8_192) == 0
    assert AXES["samples"].bytes(10**7) == pytest.approx(8, rel=1e-3)  # two numbers a point


@pytest.mark.parametrize("name", AXES)
def test_every_axis_grows_and_has_peers(name):
    axis = AXES[name]
    assert list(axis.values) == sorted(axis.values)
    assert axis.values[-1] >= 10 * axis.values[0]
    for factory in (axis.ours, *axis.peers.values()):
        module, _, function = factory.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_widths_and_depths_are_those_of_their_axes():
    assert shape("width", 316).hidden == (316,)
    assert shape("depth", 3).hidden == (100, 100, 100)
    assert shape("samples", 1_000).batch == 1_000


def test_words_are_drawn_by_zipfs_law():
    ids = zipf.numbers(1_000)
    counted = zipf.counts(ids, 1_000)
    assert ids.min() == -1
    assert counted.min() >= 1
    assert counted[0] / counted[9] == pytest.approx(10, rel=0.1)


def test_a_word_costs_no_more_than_what_is_read():
    read = zipf.shares_read(50_000)
    assert 0.5 < read.sum() < 0.95, "line ends and frequent words are left out"
    of = AXES["dimensions"]
    assert of.flops(100) == pytest.approx(48 * read.sum())
    assert of.bytes(50) == 0, "all vectors fit in the cache"
    assert 0 < of.bytes(600) < 96 * read.sum()
    assert of.bytes(600) > of.bytes(200), "fewer vectors fit"


@pytest.mark.parametrize("axis", ["width", "samples"])
def test_our_factories_do_their_units(axis, monkeypatch):
    """A call is timed as often as it fits into the least time, here once."""
    from benchmarks.growth import perceptrons

    monkeypatch.setattr(timing, "LEAST", 1e-3)
    monkeypatch.setattr(perceptrons, "MOST_STEPS", 2)
    found = perceptrons.jaxnets(axis, 10)()
    assert found["seconds"] > 0
    assert found["MB"] >= 0


def test_what_is_done_once_a_run_is_not_in_the_time_of_an_epoch(monkeypatch):
    """Setting up takes 5 seconds of this clock, an epoch 2, for 4 units of work."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def train(epochs):
        now[0] += 5 + 2 * epochs

    assert timing.epochs_of(train, 4, before=0)()["seconds"] == 0.5
