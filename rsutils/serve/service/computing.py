"""What the computing thread does with a batch."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rsutils.serve.answers import Query, UnknownNameError
from rsutils.serve.service.request_log import log_failure

LOG = logging.getLogger("rsutils.serve")

Work = Query | Callable[[Any], Any]
"""A query, or another computation that is given the engine."""


class Outcome(NamedTuple):
    """What became of one piece of work.

    Attributes:
        value: an answer, or what a computation returned.
        batch: how many were computed together.
        fallback: whether the model failed and popularity answered.
    """

    value: Any
    batch: int
    fallback: bool = False


def compute(engine: Any, works: Sequence[Work]) -> list[Outcome | Exception]:
    """An outcome or an error for each piece of work; the error of one does not touch the others.

    Where the engine fails for a query, popularity answers it.
    """
    queries = [work for work in works if isinstance(work, Query)]
    answers = iter(_answers(engine, queries))
    results: list[Outcome | Exception] = []
    for work in works:
        try:
            if not isinstance(work, Query):
                results.append(Outcome(work(engine), len(works)))
                continue
            answer = next(answers)
            fallback = isinstance(answer, Exception)
            if isinstance(answer, UnknownNameError):
                raise answer
            if fallback:
                log_failure(LOG, "The model failed; popularity answers", answer)
                answer = engine.popular(work)
            results.append(Outcome(answer, len(works), fallback))
        except Exception as error:
            results.append(error)
    return results


def _answers(engine: Any, queries: Sequence[Query]) -> list[Any]:
    if not queries:
        return []
    try:
        answers = engine.answer(queries)
        if len(answers) != len(queries):
            raise RuntimeError(f"{len(answers)} answers came for {len(queries)} queries.")
    except Exception as error:
        return [error] * len(queries)
    return answers
