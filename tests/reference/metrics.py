"""Slow, obvious versions of the figures: plain loops, nothing shared with the package."""

import itertools
import math


def ranks(similarities, query_labels, gallery_labels):
    answer = []
    for row, label in zip(similarities, query_labels, strict=True):
        best = {}
        for score, name in zip(row, gallery_labels, strict=True):
            best[name] = max(score, best.get(name, -math.inf))
        if label not in best:
            answer.append(0)
            continue
        before = [name for name, score in best.items() if name != label and score >= best[label]]
        answer.append(1 + len(before))
    return answer


def pair_scores(vectors, labels, score):
    genuine, impostor = [], []
    for i, j in itertools.combinations(range(len(labels)), 2):
        kind = genuine if labels[i] == labels[j] else impostor
        kind.append(score(vectors[i], vectors[j]))
    return genuine, impostor


def auc(genuine, impostor):
    wins = sum((a > b) + 0.5 * (a == b) for a in genuine for b in impostor)
    return wins / (len(genuine) * len(impostor))


def one_shot(similarities, labels, turns):
    """Return [(turn, query, rank)] of the one-shot protocol, from the full (n, n) table."""
    pictures = {}
    for number, label in enumerate(labels):
        pictures.setdefault(label, []).append(number)
    answer = []
    for turn in range(turns):
        enrolled = {label: own[turn % len(own)] for label, own in pictures.items()}
        for query, label in enumerate(labels):
            if query == enrolled[label]:
                continue
            own = similarities[query][enrolled[label]]
            others = [similarities[query][e] for name, e in enrolled.items() if name != label]
            answer.append((turn, query, 1 + sum(score >= own for score in others)))
    return answer
