"""The trials of a search, one after the other, from where its storage stands."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from rsutils.training.search_storage import ended


def run_trials(
    optuna: Any,
    study: Any,
    trials: int,
    seed: int,
    run: Callable[[Any], None],
    standing: Callable[[], str],
    progress: bool,
) -> None:
    """Run as many trials as are missing.

    Args:
        optuna: the module.
        study: of Optuna.
        trials: in all, those in the storage included.
        seed: of the settings.
        run: takes a trial that has no settings yet, and ends it.
        standing: what the progress bar says after each trial.
        progress: show it.
    """
    done = len(ended(study))
    bar = tqdm(total=trials, initial=done, desc="search", unit=" trials", disable=not progress)
    with bar:
        for number in range(done, trials):
            study.sampler = _sampler(optuna, seed, number)
            run(study.ask())
            bar.update()
            bar.set_postfix_str(standing())


def _sampler(optuna: Any, seed: int, number: int) -> Any:
    """Draws trial ``number`` the same whether or not this process drew those before.

    Trials that never ended are no evidence: hence ``constant_liar=False``.
    """
    own_seed = int(np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=own_seed, constant_liar=False)
