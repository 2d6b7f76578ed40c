import pytest
from hypothesis import given
from hypothesis import strategies as st

from workload.throttle import CHUNK, Throttle


class Clock:
    """Time that passes only by sleeping, and by `pass_` for work."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@given(
    st.lists(st.tuples(st.integers(1, 3_000_000), st.floats(0, 2)), min_size=1, max_size=40),
    st.sampled_from([1e5, 1e6, 5e7]),
)
def test_a_stream_never_exceeds_its_rate_by_more_than_a_second_or_a_chunk(
    chunks: list[tuple[int, float]], rate: float
) -> None:
    clock, total = Clock(), 0
    throttle = Throttle(rate, clock, clock.pass_)
    for size, work in chunks:
        clock.pass_(work)
        throttle.take(size)
        total += size
        assert total <= rate * clock.now + max(rate, CHUNK) + 1e-3


def test_a_stream_runs_at_its_rate_and_not_slower() -> None:
    clock = Clock()
    throttle = Throttle(50e6, clock, clock.pass_)
    for _ in range(500):
        throttle.take(1_000_000)
    assert clock.now == pytest.approx(500 / 50 - 1)


def test_a_stream_slower_than_the_limit_is_not_held_up() -> None:
    clock = Clock()
    throttle = Throttle(1e5, clock, clock.pass_)
    for _ in range(10):
        clock.pass_(11.0)
        throttle.take(CHUNK)
    assert clock.now == 110.0
