"""Bits of the encoders, and where sessions begin."""

import numpy as np
import pytest

from sep_trader.errors import InputError
from sep_trader.qfh import Encoder, encode_bits, session_starts


def _starts(n: int, *at: int) -> np.ndarray:
    starts = np.zeros(n, dtype=bool)
    starts[[0, *at]] = True
    return starts


def test_a_session_bears_gaps_of_up_to_ten_candles() -> None:
    time = np.array([0, 60, 60 + 600, 660 + 601, 1261 + 60])
    assert session_starts(time, 60).tolist() == [True, False, False, True, False]
    assert session_starts(time, 60, max_gap=1).tolist() == [True, False, True, True, False]
    assert session_starts(np.zeros(0, dtype=np.int64), 60).tolist() == []


@pytest.mark.parametrize("times", [[0, 60, 60], [0, 60, 30]])
def test_unsorted_and_duplicate_times_are_refused(times: list[int]) -> None:
    with pytest.raises(InputError, match="candle 2"):
        session_starts(np.array(times), 60)


def test_direction_holds_the_last_bit_within_a_session() -> None:
    close = np.array([2.0, 2.0, 3.0, 3.0, 1.0, 1.0, 9.0, 9.0, 10.0])
    bits = encode_bits(close, close, _starts(9, 6), Encoder("direction"))
    assert bits.tolist() == [-1, 0, 1, 1, 0, 0, -1, 0, 1]


def test_body_has_no_bit_at_a_session_start_and_takes_nothing_from_it() -> None:
    open_ = np.array([1.0, 2.0, 2.0, 2.0, 1.0, 2.0])
    close = np.array([9.0, 2.0, 3.0, 2.0, 9.0, 2.0])
    bits = encode_bits(open_, close, _starts(6, 4), Encoder("body"))
    assert bits.tolist() == [-1, 0, 1, 1, -1, 0]


def test_magnitude_compares_with_the_median_of_the_moves_before() -> None:
    # Moves 1, 3, 2, 2, 5, 1: medians of four before the 5th and 6th are 2 and 2.5.
    close = np.cumsum([10.0, 1.0, 3.0, 2.0, 2.0, 5.0, 1.0])
    assert encode_bits(close, close, _starts(7), Encoder("magnitude", 4)).tolist() == [-1] * 5 + [1, 0]
    assert encode_bits(close, close, _starts(7), Encoder("magnitude")).tolist() == [-1] * 7
    # A new session starts its moves anew.
    assert encode_bits(close, close, _starts(7, 2), Encoder("magnitude", 4)).tolist() == [-1] * 7


@pytest.mark.parametrize("bad", [float("nan"), 0.0, -1.0, float("inf")])
def test_prices_that_are_none_are_refused(bad: float) -> None:
    close = np.array([1.0, 1.1, bad])
    with pytest.raises(InputError, match="close of candle 2"):
        encode_bits(np.ones(3), close, _starts(3), Encoder())
    with pytest.raises(InputError, match="open of candle 2"):
        encode_bits(close, np.ones(3), _starts(3), Encoder())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("direction", Encoder("direction")), ("BODY", Encoder("body")), ("magnitude", Encoder("magnitude", 256)),
     ("magnitude(128)", Encoder("magnitude", 128))],
)  # fmt: skip
def test_encoders_are_read_by_name(text: str, expected: Encoder) -> None:
    assert Encoder.parse(text) == expected
    assert Encoder.parse(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "up", "direction(3)", "magnitude()", "magnitude(-1)"])
def test_an_unknown_encoder_lists_the_known_ones(text: str) -> None:
    with pytest.raises(InputError, match="direction, body, magnitude"):
        Encoder.parse(text)


@pytest.mark.parametrize("m", [0, 4097])
def test_magnitude_has_limits(m: int) -> None:
    with pytest.raises(InputError, match=r"1\.\.4096"):
        Encoder.parse(f"magnitude({m})")
