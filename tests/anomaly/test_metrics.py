"""Metrics against cases worked by hand, scikit-learn, and VUS-PR's own definition computed row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from nightforge.anomaly.metrics import (
    auroc,
    average_precision,
    detection_delays,
    event_recall,
    false_alarm_rate,
)
from nightforge.anomaly.vus import segments, vus_pr
from nightforge.core.errors import BadDataError

RUN = np.array([0, 0, 1, 1, 0, 0, 1, 0], dtype=bool)


def plain_vus_pr(labels, scores, max_buffer, thresholds):
    """The definition, one row, threshold and buffer at a time."""
    rows, runs = len(labels), segments(labels)
    ranked = sorted(scores, reverse=True)
    cuts = [ranked[int(k)] for k in np.linspace(0, rows - 1, thresholds)]
    areas = []
    for buffer in range(max_buffer + 1):
        weight = [1.0 if labels[t] else 0.0 for t in range(rows)]
        touched = [False] * rows
        for first, end in runs:
            for t in range(rows):
                distance = first - t if t < first else max(0, t - end + 1)
                if distance <= buffer // 2:
                    touched[t] = True
                    if distance and not labels[t]:
                        weight[t] = min(1.0, weight[t] + (1 - distance / buffer) ** 0.5)
        regions = []
        for first, end in runs:
            low, high = max(0, first - buffer // 2), min(rows, end + buffer // 2)
            if regions and low < regions[-1][1]:
                regions[-1] = (regions[-1][0], high)
            else:
                regions.append((low, high))
        area, before = 0.0, 0.0
        for cut in cuts:
            hit = [t for t in range(rows) if scores[t] >= cut]
            true = sum(weight[t] for t in hit)
            surviving = sum(labels) + sum(weight[t] for t in hit if not labels[t])
            exists = sum(any(low <= t < high for t in hit) for low, high in regions) / len(regions)
            recall = min(true / ((sum(labels) + surviving) / 2), 1.0) * exists
            area += (recall - before) * true / len(hit)
            before = recall
        areas.append(area)
    return sum(areas) / len(areas)


def test_segments_are_half_open_and_may_touch_the_ends():
    assert segments(RUN) == [(2, 4), (6, 7)]
    assert segments(np.array([1, 1, 0, 1], dtype=bool)) == [(0, 2), (3, 4)]
    assert segments(np.zeros(3, dtype=bool)) == []


def test_auroc_and_average_precision_by_hand():
    labels, scores = np.array([1, 0, 1, 0], dtype=bool), np.array([4.0, 3.0, 2.0, 1.0])
    assert auroc(labels, scores) == 0.75
    assert average_precision(labels, scores) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert auroc(labels, np.ones(4)) == 0.5
    assert average_precision(labels, np.ones(4)) == 0.5


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 8))
@settings(deadline=None, max_examples=60)
def test_auroc_and_average_precision_are_those_of_scikit_learn_also_with_ties(seed, rows, distinct):
    rng = np.random.default_rng(seed)
    labels, scores = rng.random(rows) < 0.4, rng.integers(0, distinct, rows).astype(float)
    labels[:2] = (True, False)
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))


def test_alarm_metrics_by_hand():
    alarms = np.array([1, 0, 0, 1, 1, 0, 0, 0], dtype=bool)
    assert false_alarm_rate(RUN, alarms) == pytest.approx(2 / 5)
    assert event_recall(RUN, alarms) == 0.5
    assert detection_delays(RUN, alarms) == [1, None]


def test_vus_pr_of_a_perfect_score_without_buffer_is_one():
    assert vus_pr(RUN, RUN.astype(float), max_buffer=0, thresholds=8) == 1.0


def test_vus_pr_by_hand():
    # rows 2 and 3 of 6; buffers 0 and 1 have no soft rows, with 2 the rows 1 and 4 weigh sqrt(1/2)
    labels, scores = np.array([0, 0, 1, 1, 0, 0], dtype=bool), np.array([1.0, 2.0, 6.0, 3.0, 5.0, 4.0])
    hard = 0.5 * 1 / 1 + 0.5 * 2 / 4  # hits at ranks 1 and 4
    w = 0.5**0.5
    recalls = [1 / 2, (1 + w) / (2 + w / 2), (1 + w) / (2 + w / 2), 1.0]  # (2 + w) / (2 + w / 2) is capped
    precisions = [1.0, (1 + w) / 2, (1 + w) / 3, (2 + w) / 4]
    soft = sum(np.diff([0, *recalls]) * precisions)
    assert vus_pr(labels, scores, max_buffer=2, thresholds=6) == pytest.approx((2 * hard + soft) / 3)


@given(st.integers(0, 2**32 - 1), st.integers(4, 40), st.integers(0, 9), st.integers(2, 12))
@settings(deadline=None, max_examples=60)
def test_vus_pr_is_its_definition(seed, rows, max_buffer, thresholds):
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.random(rows // 2 + 1) < 0.3, 2)[:rows]
    labels[:2], labels[-1] = (True, False), False
    scores = rng.integers(0, 15, rows).astype(float)
    expected = plain_vus_pr(labels, scores, max_buffer, thresholds)
    assert vus_pr(labels, scores, max_buffer, thresholds) == pytest.approx(expected, abs=1e-12)


def test_vus_pr_does_not_change_with_a_rising_map_of_the_scores():
    rng = np.random.default_rng(1)
    labels, scores = np.repeat([0, 1, 0], 50).astype(bool), rng.standard_normal(150)
    assert vus_pr(labels, scores) == vus_pr(labels, np.exp(scores))


@pytest.mark.parametrize("metric", [auroc, average_precision, vus_pr])
def test_what_has_no_answer_is_refused(metric):
    with pytest.raises(BadDataError, match="needs"):
        metric(np.zeros(4, dtype=bool), np.arange(4.0))
    with pytest.raises(BadDataError, match="1 of 8 scores are not finite"):
        metric(RUN, np.r_[np.nan, np.arange(7.0)])
    with pytest.raises(BadDataError, match="equally long"):
        metric(RUN, np.arange(7.0))


def test_alarm_metrics_refuse_what_has_no_answer():
    with pytest.raises(BadDataError, match="normal rows"):
        false_alarm_rate(np.ones(3, dtype=bool), np.ones(3, dtype=bool))
    with pytest.raises(BadDataError, match="labelled segment"):
        event_recall(np.zeros(3, dtype=bool), np.ones(3, dtype=bool))
