"""Run the lessons at their committed parameters and write them back as they are committed.

Outputs stay; what differs from machine to machine goes: cell ids keep their place, metadata other
than tags, execution times, and progress bars. Anything else on standard error stops the refresh:
a learner would see it as noise. Pictures are kept in 64 colours, which is enough for charts and a
third of the bytes.
"""

import base64
import io
import json
import sys
import tempfile
from pathlib import Path

import nbformat
from PIL import Image

from rsutils.course.lessons import NOTEBOOKS, Lesson, find_lessons
from rsutils.course.runner import run_lesson

KEPT_METADATA = ("tags", "jupyter")
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3", "file_extension": ".py"}
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def clean_outputs(cell: nbformat.NotebookNode) -> None:
    """Drop progress bars and widget placeholders; refuse any other standard error."""
    kept = []
    for output in cell.outputs:
        if output.get("name") == "stderr":
            noise = [line for line in output.text.split("\n") if line.strip() and "%|" not in line]
            if noise:
                raise SystemExit(f"noise on standard error: {noise[:3]}\nin: {cell.source[:200]}")
            continue
        kept.append(output)
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = fewer_colours(output.data["image/png"])
    cell.outputs = kept


def fewer_colours(picture: str) -> str:
    """The same PNG, in base64, with a palette of 64 colours; as it was where that is no smaller."""
    drawn = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    file = io.BytesIO()
    drawn.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return min(base64.b64encode(file.getvalue()).decode(), picture, key=len)


def normalised(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The executed notebook as it is committed."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": LANGUAGE})
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in KEPT_METADATA if cell.metadata.get(key)}
        )
        if cell.cell_type == "code":
            clean_outputs(cell)
    return notebook


def note_time(lesson: Lesson, seconds: float) -> None:
    """Keep the measured seconds beside the notebooks; README shows them."""
    path = NOTEBOOKS / "times.json"
    times = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    times[lesson.name] = round(seconds)
    path.write_text(json.dumps(dict(sorted(times.items())), indent=2) + "\n", encoding="utf-8")


def refresh(lesson: Lesson) -> None:
    """Execute one lesson and replace its file."""
    with tempfile.TemporaryDirectory() as name:
        outcome = run_lesson(lesson, {}, Path(name))
        if outcome.failure:
            raise SystemExit(f"{lesson.name}: {outcome.failure}")
        executed = nbformat.read(Path(name) / lesson.path.name, as_version=4)
    nbformat.write(normalised(executed), lesson.path)
    note_time(lesson, outcome.seconds)
    print(f"{lesson.name}: {outcome.seconds:.0f} s")


if __name__ == "__main__":
    for chosen in find_lessons(sys.argv[1:]):
        refresh(chosen)
