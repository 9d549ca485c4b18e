"""Losses as double loops over plain numbers, straight from the papers' equations."""

import math


def unit(vector):
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector]


def cosine(a, b):
    return sum(x * y for x, y in zip(unit(a), unit(b), strict=True))


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(unit(a), unit(b), strict=True)))


def arcface(vectors, targets, centres, margin, scale):
    total = 0.0
    for vector, target in zip(vectors, targets, strict=True):
        logits = []
        for label, centre in enumerate(centres):
            value = cosine(vector, centre)
            if label == target:
                angle = math.acos(max(-1.0, min(1.0, value)))
                beyond = angle > math.pi - margin
                value = value - margin * math.sin(margin) if beyond else math.cos(angle + margin)
            logits.append(scale * value)
        highest = max(logits)
        total_exp = sum(math.exp(x - highest) for x in logits)
        total += highest + math.log(total_exp) - logits[target]
    return total / len(vectors)


def batch_hard(vectors, targets, margin):
    found = []
    for a, own in enumerate(targets):
        positives = [
            distance(vectors[a], vectors[p])
            for p, target in enumerate(targets)
            if p != a and target == own
        ]
        negatives = [
            distance(vectors[a], vectors[n]) for n, target in enumerate(targets) if target != own
        ]
        if positives and negatives:
            found.append(max(0.0, margin + max(positives) - min(negatives)))
    return sum(found) / len(found) if found else 0.0


def smoothed_cross_entropy(logits, targets, smoothing):
    """Mean over the rows of -sum over classes of target share times log-probability."""
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        whole = math.log(sum(math.exp(value) for value in row))
        for place, value in enumerate(row):
            share = smoothing / len(row) + (1 - smoothing) * (place == target)
            total -= share * (value - whole)
    return total / len(logits)


def semi_hard(vectors, targets, margin):
    total, triplets = 0.0, 0
    for a, own in enumerate(targets):
        for p, same in enumerate(targets):
            for n, other in enumerate(targets):
                if p == a or same != own or other == own:
                    continue
                triplets += 1
                near, far = distance(vectors[a], vectors[p]), distance(vectors[a], vectors[n])
                if near < far <= near + margin:
                    total += margin + near - far
    return total / triplets if triplets else 0.0
