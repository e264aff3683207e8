"""Variables that are not the same on every worker, such as the rows of a sharded table."""

from typing import Any


def register_local_var(variable: Any) -> Any:
    """Mark a Keras variable as this worker's own: neither broadcast nor averaged."""
    variable.is_local_to_worker = True
    return variable


def is_local(variable: Any) -> bool:
    """Whether :func:`register_local_var` marked it."""
    return getattr(variable, "is_local_to_worker", False)
