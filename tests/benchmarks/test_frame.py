"""The frame of the races, without a clock: medians, load, history, comparing and rendering."""

import dataclasses
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import harness, history, load, results
from benchmarks.compare import compare, table
from benchmarks.harness import Attempt, Contender, Goal, Race, Timing
from benchmarks.report import section, summary, write
from benchmarks.results import Judged, Measured, Result, Spread

TICKS = os.sysconf("SC_CLK_TCK")


def timing(label, *seconds, **notes):
    return Timing(label, 1.0, list(seconds), notes)


def result(ratio=(0.5, 0.4, 0.6), date="2026-01-01", loads=(0.0,), **changes):
    judged = Judged("ours", "peer", "peer, 2 threads", Spread(*ratio), 0.7, "the peer's program")
    measured = [Measured(name, 1.0, [1.0], Spread(1.0, 1.0, 1.0), {}) for name in ("ours", "peer")]
    whole = Result(
        *("row", "a title", date, "a processor", 2, {"python": "3.11"}, "abc", 1, list(loads)),
        *(measured, [judged]),
    )
    return dataclasses.replace(whole, **changes)


def test_quartiles_are_those_of_numpy():
    np = pytest.importorskip("numpy")
    values = np.random.default_rng(0).exponential(size=11)
    found = results.spread(list(values))
    assert found == pytest.approx(np.quantile(values, [0.5, 0.25, 0.75]))


def test_of_two_values_the_extremes_are_the_spread():
    assert results.spread([3.0, 1.0]) == Spread(2.0, 1.0, 3.0)


def test_a_ratio_is_the_median_over_rounds_of_one_round():
    """A machine that is slow for a round is slow for both: the ratio of medians would see it."""
    ours, peer = timing("ours", 1.0, 20.0, 2.0), timing("peer", 2.0, 40.0, 4.0)
    assert results.ratio(ours, peer) == 0.5
    assert statistics.median(ours.seconds) / min(peer.seconds) != 0.5


def test_the_strongest_peer_is_the_fastest_of_its_name():
    timings = [timing("peer, a", 3.0), timing("peer, b", 2.0), timing("other", 1.0)]
    assert results.best(timings, "peer").label == "peer, b"


def test_a_goal_is_judged_against_the_strongest_peer():
    timings = [timing("ours", 1.0), timing("peer, a", 4.0), timing("peer, b", 2.0)]
    (judged,) = results.judge([Goal("ours", "peer", at_most=0.4)], timings)
    assert (judged.peer, judged.ratio.median, judged.met) == ("peer, b", 0.5, False)
    (judged,) = results.judge([Goal("ours", "peer", at_least=2.0)], timings)
    assert judged.met


@pytest.mark.parametrize(("mean", "met"), [(0.5, True), (0.39, False)])
def test_quality_reaches_the_peers_mean_less_its_deviation(mean, met):
    timings = [timing("ours", 1.0, accuracy=[mean]), timing("peer", 9.0, accuracy=[0.4, 0.6, 0.5])]
    (judged,) = results.judge([Goal("ours", "peer", quality=("accuracy",))], timings)
    assert judged.met is met
    assert "at least 0.4000" in judged.quality


def test_a_missing_peer_is_told_and_not_judged():
    race = Race("a title", [Contender("peer", "", missing="needs g++")], [Goal("ours", "peer")])
    found = results.result_of(race, [timing("ours", 1.0)], [0.0])
    assert found.judged == []
    assert "- peer: not measured, needs g++" in section(found)


def process(folder, pid, parent, ticks):
    (folder / str(pid)).mkdir()
    fields = f"R {parent} 0 0 0 0 0 0 0 0 0 {ticks} 0 0 0 20"
    (folder / str(pid) / "stat").write_text(f"{pid} (a (strange) name) {fields}")


def machine(folder, everyone, *processes):
    """Writes a `/proc` whose clocks show these seconds, all of them of users."""
    folder.mkdir()
    (folder / "stat").write_text(f"cpu  {round(everyone * TICKS)} 0 0 999 999 0 0 0 0 0\nintr 1\n")
    for pid, parent, seconds in processes:
        process(folder, pid, parent, round(seconds * TICKS))
    return folder


def test_load_is_what_strangers_took(tmp_path):
    """Of 9 more seconds 5 are of process 10, its child 11 and its grandchild 12."""
    before = machine(tmp_path / "a", 100, (10, 1, 1), (11, 10, 2), (12, 11, 3), (50, 1, 7))
    after = machine(tmp_path / "b", 109, (10, 1, 2), (11, 10, 4), (12, 11, 5), (50, 1, 11))
    first, second = load.sample(before, 10), load.sample(after, 10)
    second = second._replace(seconds=first.seconds + 2)
    assert load.others(first, second) == pytest.approx(2.0)  # 4 s in 2 s: two cores


def test_where_nobody_counts_the_load_is_unknown(tmp_path):
    assert load.sample(tmp_path) is None
    assert load.others(None, None) is None
    assert load.is_quiet(None)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")
def test_our_own_children_are_no_strangers():
    """A child's second counts for us while it runs and when it has ended."""
    spin = "import time\nwhile time.process_time() < 1: pass"
    before = load.sample()
    subprocess.run([sys.executable, "-c", spin], check=True)
    after = load.sample()
    assert after.ours - before.ours > 0.95


class Clock:
    """A machine whose load is as told, attempt by attempt."""

    def __init__(self, *loads):
        self.loads = iter(loads)

    def __call__(self, work):
        work()
        return next(self.loads)


class Workers:
    """A contender that answers how often it was asked."""

    def __init__(self, contender):
        self.label, self.prepare, self.count = contender.label, 0.5, 0

    def wake(self):
        self.count += 1
        return {"seconds": float(self.count), "note": "x"}

    def close(self):
        pass


@pytest.mark.parametrize(
    ("loads", "seconds"),
    [
        ([0.0], [1.0, 2.0]),  # quiet at once
        ([0.9, 0.05], [3.0, 4.0]),  # quiet the second time
        ([0.9, 0.3, 0.5], [3.0, 4.0]),  # never: the quietest counts, and says so
    ],
)
def test_a_loaded_race_runs_again(monkeypatch, loads, seconds):
    monkeypatch.setattr(harness, "_Worker", Workers)
    monkeypatch.setattr(harness, "watched", Clock(*loads))
    timings, found = harness.measure([Contender("a", ""), Contender("b", "", missing="why")], 2)
    assert found == loads
    assert [(t.label, t.seconds, t.notes) for t in timings] == [("a", seconds, {"note": ["x"] * 2})]
    assert result(loads=loads).quiet is (min(loads) <= load.QUIET)


def test_a_contender_that_fails_ends_the_others(monkeypatch):
    closed = []

    class Fails(Workers):
        def __init__(self, contender):
            if contender.label == "b":
                raise RuntimeError("benchmark process of 'b' ended")
            super().__init__(contender)

        def close(self):
            closed.append(self.label)

    monkeypatch.setattr(harness, "_Worker", Fails)
    with pytest.raises(RuntimeError, match="'b' ended"):
        harness.measure([Contender("a", ""), Contender("b", "")], 2)
    assert closed == ["a"]


def test_nothing_to_measure_is_no_race(monkeypatch):
    monkeypatch.setattr(harness, "watched", Clock(0.9))
    assert harness.measure([Contender("b", "", missing="why")], 2) == ([], [0.9])


def test_the_quietest_attempt_counts():
    tried = [Attempt(0.4, []), Attempt(0.2, []), Attempt(0.3, [])]
    assert harness.quietest(tried).load == 0.2


def test_a_row_without_a_name_takes_it_from_its_title():
    assert Race("784-100-10, batch 64", [], []).name == "784-100-10-batch-64"
    assert Race("a title", [], [], row="b").name == "b"


def test_results_survive_a_file(tmp_path):
    written = result(loads=(0.5, 0.0625), provenance="a text", missing={"peer": "needs g++"})
    path = history.save(written, tmp_path)
    assert path == tmp_path / "row" / "2026-01-01.json"
    assert history.entries("row", tmp_path) == [written]


def test_a_loaded_race_is_no_entry(tmp_path):
    history.save(result(), tmp_path)
    loaded = result(date="2026-01-02", loads=(0.9,))
    history.save(loaded, tmp_path)
    assert history.entries("row", tmp_path) == [result()]
    assert history.latest("row", tmp_path) == loaded
    assert "loaded: no result" in section(loaded)
    assert "2026-01-02" not in write(["row"], tmp_path)
    (line,) = compare(["row"], tmp_path)
    assert not line.lost
    history.save(result(date="2026-01-02"), tmp_path)
    assert history.latest("row", tmp_path) == result(date="2026-01-02"), "the quiet one of the day"
    assert "others took 0.9 cores" in line.remark


@pytest.mark.parametrize(
    ("ratio", "remark"),
    [
        ((0.5, 0.45, 0.6), "as before"),
        ((0.65, 0.59, 0.7), "as before"),  # the middle halves meet
        ((0.8, 0.61, 0.9), "LOSS"),
        ((0.3, 0.2, 0.39), "gain"),
    ],
)
def test_a_loss_is_beyond_the_spread(tmp_path, ratio, remark):
    history.save(result(), tmp_path)
    history.save(result(ratio, "2026-01-02"), tmp_path)
    (line,) = compare(["row"], tmp_path)
    assert (line.remark, line.lost) == (remark, remark == "LOSS")
    assert remark in table([line])
    assert ("(missed)" in table([line])) is (ratio[0] > 0.7)


def test_processors_are_not_compared(tmp_path):
    history.save(result(), tmp_path)
    history.save(result((9.0, 9.0, 9.0), "2026-01-02", machine="another"), tmp_path)
    (line,) = compare(["row"], tmp_path)
    assert (line.remark, line.before) == ("first on this processor", None)


def test_where_the_peer_is_faster_the_row_says_what_to_take():
    assert "Take instead" not in section(result())
    assert "Take instead" not in section(result((1.01, 0.9, 1.2)))
    assert "Take instead: the peer's program." in section(result((1.4, 1.2, 1.5)))


def test_the_summary_has_a_line_for_each_goal():
    text = summary([result(), result(provenance="a text")])
    assert "| `row` | ours over peer, 2 threads | 0.50 | at most 0.70 | met | 2026-01-01 |" in text
    assert "| 2026-01-01 (text) |" in text


def test_results_are_those_of_the_history():
    """`RESULTS.md` is never edited by hand."""
    main = pytest.importorskip("benchmarks.__main__")
    text = main.RESULTS.read_text(encoding="utf-8")
    assert text == write(main.known_rows())


@pytest.fixture
def main(monkeypatch, tmp_path):
    """The program with two races, the first of which fails, and a history of its own."""
    found = pytest.importorskip("benchmarks.__main__")

    def measure(contenders, rounds, attempts):
        if contenders[0].label == "broken":
            raise RuntimeError("benchmark process of 'broken' ended")
        return [timing("ours", *[1.0] * rounds)], [0.0]

    two = [
        lambda: Race("one", [Contender("broken", "")], []),
        lambda: Race("two", [Contender("ours", "")], []),
    ]
    monkeypatch.setattr(found, "RACES", {"both": two})
    monkeypatch.setattr(found, "measure", measure)
    monkeypatch.setattr(found, "save", lambda result: history.save(result, tmp_path))
    monkeypatch.setattr(found, "RESULTS", tmp_path / "RESULTS.md")
    return found


def test_a_race_that_fails_stops_no_other(main, tmp_path, capsys):
    assert main.run([]) == 1
    assert [entry.rounds for entry in history.entries("two", tmp_path)] == [7]
    assert "failed: one" in capsys.readouterr().err
    assert main.RESULTS.exists()


def test_a_trial_saves_nothing(main, tmp_path, capsys):
    assert main.run(["two"], rounds=1) == 0
    assert list(tmp_path.iterdir()) == []
    assert "## two" in capsys.readouterr().out


def test_every_race_has_a_name_of_its_own():
    from benchmarks.__main__ import known_rows, races

    names = known_rows()
    assert len(set(names)) == len(names)
    assert all(len(name) < 32 for name in names)
    with pytest.raises(ValueError, match="no race is called nosuch"):
        list(races(["nosuch"]))
    assert next(race.name for race in races(["cnn", "backprop-64"])) == "backprop-64"
