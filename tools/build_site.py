"""Build the course as web pages to read, in ``build/site``: README, lessons with outputs, guides.

Nothing is executed: the pages show what is committed. Needs the ``site`` extra, which ``make site``
installs from ``requirements/site.txt``.
"""

import os
import shutil
import subprocess
import sys

import nbformat

from rsutils import settings
from rsutils.course.lessons import find_lessons

SOURCE, SITE = settings.BUILD / "site_source", settings.BUILD / "site"
PAGES = ["CONTRIBUTING.md", "LICENSE-TEXT", "data/README.md", "notebooks/headline.png"]
OPTIONS = {
    "project": "Engineering large recommender systems",
    "extensions": ["myst_nb"],
    "html_theme": "furo",
    "html_title": "Engineering large recommender systems",
    "nb_execution_mode": "off",
    "myst_enable_extensions": ["dollarmath"],
    "myst_heading_anchors": 2,
    "suppress_warnings": ["myst.xref_missing", "misc.highlighting_failure"],
}


def collect() -> None:
    """Lay the pages out as in the repository, so that their links lead to one another."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for name in PAGES:
        (SOURCE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(settings.REPOSITORY / name, SOURCE / name)
    for lesson in find_lessons():
        notebook = lesson.read()
        for cell in notebook.cells:
            if "solution" in cell.metadata.get("tags", []):
                cell.metadata.tags.append("hide-input")
        nbformat.write(notebook, SOURCE / "notebooks" / lesson.path.name)
    settings_file = "".join(f"{name} = {value!r}\n" for name, value in OPTIONS.items())
    (SOURCE / "conf.py").write_text(settings_file, encoding="utf-8")
    contents = [f"notebooks/{lesson.name}" for lesson in find_lessons()]
    contents += ["data/README", "CONTRIBUTING"]
    readme = (settings.REPOSITORY / "README.md").read_text(encoding="utf-8")
    tree = "\n```{toctree}\n:hidden:\n\n" + "\n".join(contents) + "\n```\n"
    (SOURCE / "index.md").write_text(readme + tree, encoding="utf-8")


def main() -> int:
    """Collect the pages and let Sphinx make HTML of them."""
    collect()
    shutil.rmtree(SITE, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(SOURCE), str(SITE)]
    code = subprocess.run(command).returncode
    if code == 0:
        print(f"open {os.path.relpath(SITE / 'index.html')}")
    return code


if __name__ == "__main__":
    sys.exit(main())
