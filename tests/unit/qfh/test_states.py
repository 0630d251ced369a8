"""Transition states, their runs, and the classifier that sees one bit at a time."""

import numpy as np

from sep_trader.qfh import Run, State, StateClassifier, runs, states

BITS = np.array([-1, 0, 0, 0, 1, 1, 0, -1, 1, 1], dtype=np.int8)


def test_states_and_runs() -> None:
    found = states(BITS)
    assert found.tolist() == [-1, -1, 0, 0, 1, 2, 1, -1, -1, 2]
    assert runs(found) == [
        Run(2, State.NULL, 2),
        Run(4, State.FLIP, 1),
        Run(5, State.RUPTURE, 1),
        Run(6, State.FLIP, 1),
        Run(9, State.RUPTURE, 1),
    ]


def test_nothing_has_no_states() -> None:
    assert states(BITS[:0]).tolist() == []
    assert states(BITS[:1]).tolist() == [-1]
    assert runs(states(BITS[:0])) == []


def test_the_classifier_gives_the_same_states() -> None:
    classifier = StateClassifier()
    assert [classifier.update(int(bit)) for bit in BITS] == states(BITS).tolist()
