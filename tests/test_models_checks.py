import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsutils.models.checks import check_counts, check_positive, check_range


@given(st.integers(1), st.floats(min_value=1e-300, max_value=1e300), st.floats(0, 1))
def test_what_is_in_range_passes(count, positive, share):
    check_counts(n=count)
    check_positive(x=positive)
    check_range(0, 1, x=share)


@pytest.mark.parametrize("value", [0, -3, 1.0, "2", None])
def test_counts(value):
    with pytest.raises(ValueError, match=f"n is {value!r}"):
        check_counts(n=value)


@pytest.mark.parametrize("value", [0, -1e-9, float("nan"), float("inf")])
def test_positive(value):
    with pytest.raises(ValueError, match=f"x is {value!r}"):
        check_positive(x=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_range(value):
    with pytest.raises(ValueError, match="expected a number from 0 to 1"):
        check_range(0, 1, x=value)
