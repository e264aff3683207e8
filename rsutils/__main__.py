"""``python -m rsutils doctor`` and ``python -m rsutils course``."""

import argparse
import os
import sys

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
    arguments = parser.parse_args(argv)
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
