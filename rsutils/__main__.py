"""``python -m rsutils`` and one of ``doctor``, ``course``, ``build`` and ``serve``."""

import argparse
import os
import sys
from pathlib import Path

from rsutils import settings

FULL_DATASET = "ml-1m"
"""What the full profile runs on where no data set is named."""


def doctor(arguments: argparse.Namespace) -> int:
    """Print what is installed and what is missing; exit code 1 where something needed is."""
    from rsutils.course.doctor import examine

    findings = examine()
    for finding in findings:
        print(finding)
    return int(any(not finding.ok and finding.needed for finding in findings))


def course(arguments: argparse.Namespace) -> int:
    """Run lessons through papermill; exit code 1 where one failed, 2 where the call is wrong."""
    from rsutils.course.lessons import find_lessons
    from rsutils.course.runner import run_course, summary
    from rsutils.data.catalogue import find

    try:
        parameters: dict[str, object] = {"PROFILE": settings.profile(arguments.profile)}
        lessons = find_lessons(arguments.lessons)
        dataset = arguments.dataset or FULL_DATASET * (parameters["PROFILE"] == "full")
        if dataset:
            parameters["DATASET"] = find(dataset).name
        if arguments.seed:
            if not arguments.seed.isdecimal():
                raise ValueError(f"SEED is {arguments.seed!r}; expected a whole number from 0.")
            parameters["SEED"] = int(arguments.seed)
        if home := settings.data_home():
            os.environ["RSUTILS_DATA"] = str(home)  # kernels run in another folder
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    outcomes = run_course(lessons, parameters)
    print("\n" + summary(outcomes))
    return int(any(outcome.failure for outcome in outcomes))


def build(arguments: argparse.Namespace) -> int:
    """Build a system to serve, unless it is there; exit code 2 where the call is wrong."""
    from rsutils.serve.building import find_or_build

    dataset = arguments.dataset or "demo"
    models = arguments.models or settings.BUILD / "models" / dataset
    try:
        folder = find_or_build(models, dataset, arguments.seed)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{folder}\nTo serve it: python -m rsutils serve {models}")
    return 0


def _add_build(commands: argparse._SubParsersAction) -> None:
    builds = commands.add_parser("build", help="train and export a system to serve")
    builds.add_argument("models", type=Path, nargs="?", help="folder of systems; in build/ if none")
    builds.add_argument("--dataset", default=os.environ.get("DATASET"), help="demo, ml-100k, ...")
    builds.add_argument("--seed", type=int, default=0, help="a whole number")
    builds.set_defaults(run=build)


def serve(arguments: argparse.Namespace) -> int:
    """Answer over HTTP; exit code 1 where it cannot start, 2 where the call is wrong."""
    from rsutils.serve.service.run import Options, serve

    given = {name: value for name, value in vars(arguments).items() if value is not None}
    try:
        options = Options(**{name: given[name] for name in given if name not in ("command", "run")})
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return serve(options)


def _add_serve(commands: argparse._SubParsersAction) -> None:
    serves = commands.add_parser("serve", help="answer over HTTP")
    serves.add_argument("models", type=Path, help="a system folder, or a folder of such folders")
    serves.add_argument("--model", help="its name; the newest where none is given")
    serves.add_argument("--host", help="127.0.0.1; another one opens the service to others")
    serves.add_argument("--port", type=int, help="8000; 0 for a free one")
    serves.add_argument("--deadline-ms", type=float, help="100: until a request should be answered")
    serves.add_argument("--queue", type=int, help="256: requests that may wait")
    serves.add_argument("--batch", type=int, help="32: requests that are computed at once")
    serves.add_argument("--grace", type=float, help="10: seconds to finish in at a stop")
    serves.add_argument("--events", type=Path, help="file of events; one in the build folder")
    serves.add_argument("--threads", type=int, help="1: threads that one computation may use")
    serves.add_argument("--log-level", help="info; debug, warning or error")
    serves.add_argument("--ready-file", type=Path, help="gets the address once it answers")
    serves.set_defaults(run=serve)


def main(argv: list[str] | None = None) -> int:
    """Read the command line and run one command."""
    parser = argparse.ArgumentParser(prog="python -m rsutils", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="what is installed and what is missing").set_defaults(
        run=doctor
    )
    runs = commands.add_parser("course", help="run the lessons in order")
    runs.add_argument("lessons", nargs="*", help="numbers or names; all where none is given")
    runs.add_argument("--dataset", default=os.environ.get("DATASET"), help="demo, ml-100k, ...")
    runs.add_argument("--profile", default=os.environ.get("PROFILE"), help="quick or full")
    runs.add_argument("--seed", default=os.environ.get("SEED"), help="a whole number")
    runs.set_defaults(run=course)
    _add_build(commands)
    _add_serve(commands)
    arguments = parser.parse_args(argv)
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
