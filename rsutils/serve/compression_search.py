"""A search for small files of a model: what to prune, how many bits, which dimension."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsutils.compress.masks import check_sparsity
from rsutils.compress.pruning import Pruner, is_table, prunable, prune
from rsutils.compress.rounding import QuantizationAware
from rsutils.compress.schedule import Schedule
from rsutils.models.checks import check_range
from rsutils.serve.onnx_compress import DENSE, TABLES, compress_onnx, write_short
from rsutils.serve.onnx_export import export_onnx
from rsutils.serve.onnx_graph import read_onnx
from rsutils.training import Front, search_front

FULL = 32
"""Bits of a number that is left as it is."""
Measure = Callable[[Path], float]
Tune = Callable[[Any, list[Any]], Any]


@dataclass(frozen=True, eq=False)
class CompressionFront(Front):
    """What :func:`search_compression` found.

    Attributes:
        files: the ONNX file of each point, by the number of its trial.
    """

    files: dict[int, Path]


def search_compression(
    models: Mapping[int, Any],
    quality: Measure,
    folder: Path | str,
    trials: int,
    costs: Mapping[str, Measure] | None = None,
    budget: Mapping[str, float] | None = None,
    sparsities: Mapping[str, Sequence[float]] | Sequence[float] = (0.0, 0.5, 0.8),
    tables: Sequence[int] = (16, 8, 4),
    dense: Sequence[int] = (FULL, 16, 8),
    tune: Tune | None = None,
    aware: bool = False,
    steps: int = 0,
    seed: int = 0,
    progress: bool = True,
) -> CompressionFront:
    """Compress trained models in many ways, a file each, and keep those that no other file beats.

    A trial takes the model of one dimension, prunes each table and hidden layer to a sparsity of
    its own, stores each table in bits of its own and all hidden layers in others, and measures the
    file. Output layers stay as they are. Two objectives lead the search: ``quality``, the higher
    the better, and every cost, the lower the better.

    ``folder`` holds the search and its files. Called again with the same models and arguments it
    goes on where it stood; see :func:`~rsutils.training.search_front`.

    Args:
        models: by dimension, fitted recommenders with a Keras 3 network ``model_``, all with the
            same layers. They have their own weights again afterwards.
        quality: takes a file; measured on validation data.
        folder: made here.
        trials: in all, those in ``folder`` included.
        costs: what a file costs, by name; None for ``bytes`` of the file as it lies on disk. Zeros
            save bytes of an archive only: ``{"bytes": zipped_bytes}`` sees them. Milliseconds are
            ``{"ms": lambda file: latency(OnnxScorer(file), inputs).p50_ms}``.
        budget: the most that a file may cost, by name.
        sparsities: to choose from for each table and hidden layer, or by name for some of them;
            others keep all weights.
        tables: bits to choose from for each table: 32, 16, 8 and 4 are known.
        dense: bits to choose from for hidden layers: 32, 16 and 8.
        tune: takes a recommender and callbacks of Keras and trains ``model_`` on, such as ``lambda
            model, callbacks: model.refine(train, 0.01, 3, callbacks)``, once a trial, while weights
            are pruned; None prunes at once.
        aware: call ``tune`` once more, with the rounding to 8 or 4 bits; zeros stay.
        steps: of training, over which sparsity grows; 0 prunes before the first one.
        seed: of the search.
        progress: show a progress bar.

    Raises:
        ValueError: an argument is out of its range, models have different layers or nothing to
            prune, or no file is within the budget; the message says which came nearest.

    Example:
        >>> import tempfile
        >>> from types import SimpleNamespace
        >>> import keras
        >>> ids = keras.Input((), dtype="int32", name="item")
        >>> network = keras.Model(ids, keras.layers.Embedding(5000, 16, name="factors")(ids))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = search_compression(
        ...         {16: SimpleNamespace(model_=network)}, lambda file: 1.0, folder, trials=12,
        ...         budget={"bytes": 100_000}, sparsities=[0.0], progress=False,
        ...     )
        >>> found.points["bits factors"].tolist(), len(found.files)
        ([4], 1)
    """
    costs = {"bytes": _bytes} if costs is None else costs
    _check(models, tables, dense, costs)
    if aware and tune is None:
        raise ValueError("aware is True and tune is None; give a function that trains on.")
    check_range(0, float("inf"), steps=steps)
    tables_, hidden = _layers(models)
    space: dict[str, Any] = {"dimension": [*models]}
    space |= _pruning(sparsities, [*tables_, *hidden])
    space |= {f"bits {name}": [*tables] for name in tables_}
    space |= {"hidden bits": [*dense]} if hidden else {}
    folder = Path(folder)

    def figures(settings: Mapping[str, Any]) -> dict[str, float]:
        path = _path(folder, settings)
        recommender = models[settings["dimension"]]
        with _restored(recommender.model_):
            _shrink(recommender, settings, tune, aware, steps)
            _write(recommender.model_, settings, path)
        return {"quality": quality(path)} | {name: cost(path) for name, cost in costs.items()}

    directions = {"quality": "maximize"} | dict.fromkeys(costs, "minimize")
    storage = folder / "search.db"
    front = search_front(figures, space, trials, storage, directions, budget, seed, progress)
    rows = front.points[[*space]].to_dict("index")
    files = {int(trial): _path(folder, settings) for trial, settings in rows.items()}
    return CompressionFront(front.points, front.trials, files)


def _bytes(path: Path) -> int:
    return path.stat().st_size


def _check(
    models: Mapping[int, Any],
    tables: Sequence[int],
    dense: Sequence[int],
    costs: Mapping[str, Measure],
) -> None:
    if not models:
        raise ValueError("models is empty; expected a fitted recommender for each dimension.")
    for name, chosen, known in (("tables", tables, TABLES), ("dense", dense, DENSE)):
        allowed = [bits or FULL for bits in known]
        wrong = [bits for bits in chosen if bits not in allowed]
        if wrong:
            raise ValueError(f"{name} holds {wrong[0]} bits; expected some of {allowed}.")
    if not costs or "quality" in costs:
        raise ValueError(f"costs are {[*costs]}; expected one at least, none of them 'quality'.")


def _pruning(
    sparsities: Mapping[str, Sequence[float]] | Sequence[float], layers: list[str]
) -> dict[str, list[float]]:
    """What there is to choose from, by setting."""
    by_layer = sparsities if isinstance(sparsities, Mapping) else dict.fromkeys(layers, sparsities)
    for name, choices in by_layer.items():
        if name not in layers:
            raise ValueError(f"There is nothing to prune in {name!r}; there is {layers}.")
        for sparsity in choices:
            check_sparsity(sparsity, f"sparsities of {name}")
    return {f"sparsity {name}": [*choices] for name, choices in by_layer.items()}


def _layers(models: Mapping[int, Any]) -> tuple[list[str], list[str]]:
    """Names of the tables and of the hidden layers, the same for all models."""
    found = {}
    for dimension, recommender in models.items():
        weights = prunable(recommender.model_)
        tables = [name for name in weights if is_table(recommender.model_, name)]
        hidden = [name for name in weights if name not in tables and weights[name].shape[-1] > 1]
        found[dimension] = tables, hidden
    first, *others = found.items()
    for dimension, layers in others:
        if layers != first[1]:
            raise ValueError(
                f"The model of dimension {dimension} has the tables and hidden layers {layers}, "
                f"that of {first[0]} {first[1]}; expected the same layers."
            )
    if not first[1][0]:
        raise ValueError(f"The model of dimension {first[0]} has no table to compress.")
    return first[1]


def _path(folder: Path, settings: Mapping[str, Any]) -> Path:
    return folder / f"{'_'.join(f'{value:g}' for value in settings.values())}.onnx"


@contextmanager
def _restored(model: Any) -> Any:
    """Let a block change weights."""
    weights = model.get_weights()
    try:
        yield
    finally:
        model.set_weights(weights)


def _shrink(
    recommender: Any, settings: Mapping[str, Any], tune: Tune | None, aware: bool, steps: int
) -> None:
    """Prune, and train with the rounding."""
    model = recommender.model_
    sparsity = {name: share for name, share in _parts(settings, "sparsity ").items() if share}
    if tune is None:
        prune(model, sparsity)
        return
    schedule = {name: Schedule(share, end=steps, every=10) for name, share in sparsity.items()}
    tune(recommender, [Pruner(model, schedule)])
    bits = _parts(settings, "bits ")
    kernels = settings.get("hidden bits", FULL)
    _, hidden = _layers({0: recommender})
    few = {name: b for name, b in (bits | dict.fromkeys(hidden, kernels)).items() if b <= 8}
    if aware and few:
        tune(recommender, [QuantizationAware(model, few, keep_zeros=True)])


def _write(model: Any, settings: Mapping[str, Any], path: Path) -> None:
    tables = {name: b for name, b in _parts(settings, "bits ").items() if b != FULL}
    dense = settings.get("hidden bits", FULL)
    export_onnx(model, path)
    if tables or dense != FULL:
        compress_onnx(path, path, tables, None if dense == FULL else dense)
    else:
        write_short(read_onnx(path), path)


def _parts(settings: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in settings.items()
        if name.startswith(prefix)
    }
