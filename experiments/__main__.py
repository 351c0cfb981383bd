"""`python -m experiments NAME --set field=value`: runs experiments, and reports on them."""

import argparse
import sys

import jaxnets
from jaxnets import DivergedError, parallel
from jaxnets.host.console import output_may_close
from jaxnets.host.paths import as_path
from jaxnets.host.signals import interrupt_on_signals
from jaxnets.storage import run_folder

from .lab import calibration, gallery, gallery_check, run, run_all, scorecard
from .lab.config import configure
from .lab.registry import EXPERIMENTS
from .lab.run import RESULTS, load, perform, redraw, title

DRAWING = ("PIL", "fpdf", "matplotlib", "skimage")
"""Packages that the wheel alone does not bring."""

OPTIONS = ("set", "smoke", "redraw", "style", "run", "resume", "tensorboard", "claim")
COMMANDS: dict[str, tuple[str, ...]] = {
    "all": ("set",),
    "multiverse": ("claim",),
    **dict.fromkeys(("calibration", "demo", "scorecard", "report", "gallery", "gallery-check"), ()),
}
"""What can be asked for beyond one experiment, and the options that it takes."""


def main() -> int:
    """Parses the command line, arranges the devices, then runs what was asked for."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    parser.add_argument("name", nargs="?", help=f"an experiment, or one of {', '.join(COMMANDS)}")
    parser.add_argument("--list", action="store_true", help="list the experiments")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--smoke", action="store_true", help="a variant that takes seconds")
    parser.add_argument("--redraw", action="store_true", help="redraw the saved result")
    parser.add_argument(
        "--style", choices=("slides", "paper", "dark"), help="also save NAME.STYLE.svg, .pdf, .png"
    )
    parser.add_argument("--claim", metavar="ROW", help="of the multiverse: F2, or all")
    folder = parser.add_mutually_exclusive_group()
    folder.add_argument("--run", metavar="FOLDER", help="save checkpoints there")
    folder.add_argument("--resume", metavar="FOLDER", help="resume such a run")
    parser.add_argument(
        "--tensorboard", action="store_true", help="write scalars to the folder's tensorboard too"
    )
    options = parser.parse_args()
    if options.tensorboard and options.run is None and options.resume is None:
        parser.error("--tensorboard needs --run or --resume, and a folder")
    _require_options(options, parser)
    jaxnets.use_all_cores()
    run.only_process_0_prints(parallel.start())
    _cache_compilations()
    try:
        with interrupt_on_signals():
            code = _dispatch(options, parser)
            sys.stdout.flush()
            return code
    except DivergedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt as error:
        print(str(error) or "interrupted", file=sys.stderr)
        return getattr(error, "code", 130)
    except ModuleNotFoundError as error:
        extra = (error.name or "").partition(".")[0] in DRAWING
        advice = ": pip install 'jaxnets[experiments]'" if extra else ""
        print(f"error: {error}{advice}", file=sys.stderr)
        return 2
    except (ValueError, OSError, run_folder.FolderInUseError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _require_options(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuses options that would be ignored."""
    own = tuple(name for name in OPTIONS if name != "claim")
    takes = COMMANDS.get(options.name, ("redraw", "style") if options.redraw else own)
    ignored = [f"--{name}" for name in OPTIONS if getattr(options, name) and name not in takes]
    if ignored:
        what = "--redraw" if options.redraw and options.name not in COMMANDS else options.name
        parser.error(f"{what} does not take {', '.join(ignored)}")


def _cache_compilations() -> None:
    """Caches compiled programs; a user without a home folder compiles them every time."""
    try:
        jaxnets.cache_compilations()
    except ValueError as error:
        print(f"programs are not cached: {error}", file=sys.stderr)


def _dispatch(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if options.list:
        for name in EXPERIMENTS:
            print(f"{name:24}{title(name)}")
    elif options.name is None:
        parser.print_help()
        return 2
    elif options.name == "demo":
        from . import demo

        demo.main()
    elif options.name == "all":
        return run_all.main(options.set)
    elif options.name == "scorecard":
        for name in EXPERIMENTS:
            if not (RESULTS / f"{name}.json").exists():
                perform(name)
        print(f"\n{scorecard.scorecard()}")
    elif options.name == "calibration":
        return calibration.main()
    elif options.name == "report":
        from .lab import report

        return report.main()
    elif options.name == "multiverse":
        from .lab import multiverse

        return multiverse.main(options.claim or "all")
    elif options.name == "gallery":
        print(gallery.write())
    elif options.name == "gallery-check":
        return gallery_check.main()
    elif options.redraw:
        load(options.name)
        redraw(options.name, style=options.style)
    else:
        module = load(options.name)
        config = configure(module.SMOKE if options.smoke else module.Config(), options.set)
        resume = options.resume is not None
        folder = options.resume if resume else options.run
        if folder is not None:
            folder = as_path(folder, "--resume" if resume else "--run")
            resume |= parallel.was_restarted() and run_folder.has_run(folder)
            saved = resume, options.tensorboard
            run.perform_in(folder, options.name, config, *saved, style=options.style)
        else:
            perform(options.name, config, style=options.style)
    return 0


if __name__ == "__main__":
    with output_may_close():
        code = main()
    parallel.exit_process(code)
