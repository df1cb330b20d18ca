"""Components and their members."""

from __future__ import annotations

import numpy as np

from solvation.kernels.graph import count_members, label_components


def test_components_of_a_chain_a_pair_and_a_loner():
    label = label_components(6, [0, 1, 3], [1, 2, 4])
    assert len(set(label.tolist())) == 3
    assert len(set(label[:3].tolist())) == 1
    assert label[3] == label[4]
    assert label[5] not in label[:5]


def test_members_are_counted_by_kind():
    label = label_components(5, [0, 0, 3], [1, 2, 4])
    kind = np.array([0, 1, 1, 0, 0])
    counts = count_members(label, kind, 2)
    assert counts[label[0]].tolist() == [1, 2]
    assert counts[label[3]].tolist() == [2, 0]


def test_no_nodes():
    assert count_members(label_components(0, [], []), np.empty(0, dtype=np.int64), 2).shape == (
        0,
        2,
    )
