"""Judging: protocols, figures with their intervals, and the reports made of them."""

from saccade.judge.classification import ClassificationScores, judge_classification
from saccade.judge.classification_report import classification_report
from saccade.judge.embedding import EmbeddingScores, Mistake, judge_embedding
from saccade.judge.embedding_report import embedding_report
from saccade.judge.intervals import bootstrap_over_identities, paired_bootstrap
from saccade.judge.pair_intervals import VerificationIntervals, bootstrap_verification
from saccade.judge.protocol import OneShot, one_shot

__all__ = [
    "ClassificationScores",
    "EmbeddingScores",
    "Mistake",
    "OneShot",
    "VerificationIntervals",
    "bootstrap_over_identities",
    "bootstrap_verification",
    "classification_report",
    "embedding_report",
    "judge_classification",
    "judge_embedding",
    "one_shot",
    "paired_bootstrap",
]
