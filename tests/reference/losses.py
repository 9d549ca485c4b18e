"""Losses as double loops over plain numbers, straight from the papers' equations."""

import math

from tests.reference import boxes as geometry


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


# Losses of logits: rows of plain numbers, the class of each, the weight of each class


def log_shares(row):
    highest = max(row)
    whole = highest + math.log(sum(math.exp(value - highest) for value in row))
    return [value - whole for value in row]


def weighted_cross_entropy(logits, shares, smoothing, weights):
    """Targets as shares: each class's part of the loss counts as its weight."""
    total, counted = 0.0, 0.0
    for row, wanted in zip(logits, shares, strict=True):
        for value, share, weight in zip(log_shares(row), wanted, weights, strict=True):
            total -= weight * ((1 - smoothing) * share + smoothing / len(row)) * value
            counted += weight * share
    return total / counted


def weighted_mean(values, targets, weights):
    own = [weights[target] for target in targets]
    return sum(v * w for v, w in zip(values, own, strict=True)) / sum(own)


def hinge(row, target, margin=1.0):
    return sum(max(0.0, value - row[target] + margin) for j, value in enumerate(row) if j != target)


def focal(row, target, gamma=2.0):
    log_p = log_shares(row)[target]
    return -((1 - math.exp(log_p)) ** gamma) * log_p


def hierarchical(row, target, leaves, alpha):
    """``leaves``: for each class, the leaves below each node of its path, from itself to the root.

    A probability of a node is the sum of those of its leaves.
    """
    shares = [math.exp(value) for value in log_shares(row)]
    masses = [sum(shares[leaf] for leaf in below) for below in leaves[target]]
    depths = range(len(masses) - 2, -1, -1)
    steps = zip(depths, masses, masses[1:], strict=False)
    return -sum(math.exp(-alpha * depth) * math.log(low / high) for depth, low, high in steps)


# Losses of vectors, over pairs and triplets


def contrastive(vectors, targets, margin):
    found = []
    for i, one in enumerate(targets):
        for j in range(i):
            apart = distance(vectors[i], vectors[j])
            found.append(apart**2 / 2 if targets[j] == one else max(0.0, margin - apart) ** 2 / 2)
    return sum(found) / len(found) if found else 0.0


def lossless(anchor, positive, negative, beta=4.0, epsilon=1e-8):
    near, far = distance(anchor, positive) ** 2, distance(anchor, negative) ** 2
    return -math.log(1 - near / beta + epsilon) - math.log(1 - (4 - far) / beta + epsilon)


def lossless_triplet(vectors, targets, beta=4.0):
    found = [
        lossless(vectors[a], vectors[p], vectors[n], beta)
        for a, own in enumerate(targets)
        for p, same in enumerate(targets)
        for n, other in enumerate(targets)
        if a != p and same == own and other != own
    ]
    return sum(found) / len(found) if found else 0.0


# Losses of values


def absolute_squared(off, weight=10.0):
    return abs(off) + weight * off * off


def smooth_l1(off, beta=1.0):
    return off**2 / (2 * beta) if abs(off) < beta else abs(off) - beta / 2


def huber(off, delta=1.0):
    return off**2 / 2 if abs(off) <= delta else delta * (abs(off) - delta / 2)


def shrinkage(off, speed=10.0, centre=0.2):
    return off**2 / (1 + math.exp(speed * (centre - abs(off))))


# Losses of boxes: (x1, y1, x2, y2)


def giou(a, b):
    return 1 - geometry.giou(a, b)


def smooth_ln(share, sigma):
    if share <= sigma:
        return -math.log(1 - share)
    return (share - sigma) / (1 - sigma) - math.log(1 - sigma)


def repulsion(boxes, objects, own, alpha=0.5, beta=0.5, sigma_objects=0.99, sigma_boxes=0.0):
    from_objects, from_boxes = [], []
    for i, box in enumerate(boxes):
        others = [o for place, o in enumerate(objects) if place != own[i]]
        if others:
            nearest = max(others, key=lambda o: geometry.iou(o, box))
            covered = geometry.covered(box, nearest)
            from_objects.append(smooth_ln(covered, sigma_objects))
        for j in range(i):
            if own[i] != own[j] and geometry.iou(box, boxes[j]) > 0:
                from_boxes.append(smooth_ln(geometry.iou(box, boxes[j]), sigma_boxes))
    means = [sum(found) / max(1, len(found)) for found in (from_objects, from_boxes)]
    return alpha * means[0] + beta * means[1]
