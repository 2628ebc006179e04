import pytest

from bench.busy import percentile, slope


def test_a_slope_is_what_the_line_through_the_points_rises_by() -> None:
    assert slope([(0, 5), (1, 7), (2, 9)]) == pytest.approx(2)
    assert slope([(0, 5), (1, 5), (2, 5)]) == pytest.approx(0)
    assert slope([(1, 5)]) == 0


def test_a_percentile_is_in_milliseconds_and_one_of_the_values() -> None:
    assert percentile([0.003, 0.001, 0.002], 0.5) == 2
    assert percentile([0.003, 0.001, 0.002], 0.99) == 3
    assert percentile([], 0.5) == 0
