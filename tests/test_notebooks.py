"""Notebooks: figures show themselves, bars are drawn, and cells can run twice."""

import base64

import pytest

nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
pytest.importorskip("ipykernel", reason="needs ipykernel")

CELLS = [
    "import jaxnets as jn\njn.use_all_cores(2)",
    """
import jax
from jaxnets import plots
from jaxnets.data import load

data = load("digits")
spec = jn.TrainSpec(jn.MLP((16,), 10), "softmax_cross_entropy", 3, 64)
keys = jax.random.split(jax.random.key(0), 2)
states, history = jn.sweep(spec, keys, data, {"learning_rate": [1e-3, 1e-2]}, progress=True)
""",
    """
canvas, axes = plots.figure()
plots.curves(axes[0, 0], history["valid_loss"], [0.001, 0.01])
canvas
""",
]
LATE = "jn.use_all_cores(3)"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs cells in a kernel, whose folders are those of the test."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    import nbformat.v4

    def execute(sources):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
        nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
        return [cell.outputs for cell in notebook.cells]

    return execute


@pytest.mark.filterwarnings("ignore")
def test_cells_run_twice_and_figures_show_themselves(run):
    outputs = run(CELLS + CELLS)
    for shown in (outputs[2], outputs[5]):
        (figure,) = (output.data["image/png"] for output in shown if "data" in output)
        assert base64.b64decode(figure).startswith(b"\x89PNG")
    for trained in (outputs[1], outputs[4]):
        assert "epoch" in "".join(output.get("text", "") for output in trained)


@pytest.mark.filterwarnings("ignore")
def test_all_cores_too_late_says_to_restart_the_kernel(run):
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="restart the kernel"):
        run([*CELLS[:2], LATE])
