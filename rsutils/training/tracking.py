"""Weights & Biases without a network: a run's settings and logs, kept in a folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import keras


@contextmanager
def offline_run(
    folder: Path | str, config: Mapping[str, object], project: str = "rsutils"
) -> Iterator[keras.callbacks.Callback]:
    """Keep a run in ``folder``; nothing is sent, and no account is needed.

    ``wandb sync FOLDER/wandb/offline-run-*`` sends it later, for those who want that.

    Args:
        folder: where the run is kept, in a folder ``wandb``.
        config: the run's settings.
        project: what the run belongs to.

    Yields:
        A callback for Keras that writes the logs of every epoch.

    Raises:
        ImportError: the optional package ``wandb`` is not installed.
        RuntimeError: another run of wandb's is under way.
    """
    try:
        import wandb
    except ImportError as error:
        raise ImportError(
            "wandb is not installed. It is optional: pip install -r requirements/tracking.txt"
        ) from error
    if wandb.run is not None:
        raise RuntimeError(
            f"the run {wandb.run.id} is under way: end it with wandb.finish() before this one"
        )
    quiet = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False)
    run = wandb.init(
        project=project, dir=folder, config=dict(config), mode="offline", settings=quiet
    )
    try:
        yield keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: run.log({"epoch": epoch, **(logs or {})})
        )
    finally:
        run.finish()
        # The file is written by another process, which finish() does not wait for.
        wandb.teardown()
