"""The geometry of boxes as loops over plain numbers; a box is (x1, y1, x2, y2)."""

import math


def area(box):
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def shared(a, b):
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def union(a, b):
    return area(a) + area(b) - shared(a, b)


def iou(a, b):
    return shared(a, b) / union(a, b) if union(a, b) > 0 else 0.0


def giou(a, b):
    hull = area((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])))
    return iou(a, b) - ((hull - union(a, b)) / hull if hull > 0 else 0.0)


def covered(a, b):
    return shared(a, b) / area(b) if area(b) > 0 else 0.0


def encode(box, anchor, variances=(0.1, 0.2)):
    offsets = []
    for axis in (0, 1):
        side, own = box[axis + 2] - box[axis], anchor[axis + 2] - anchor[axis]
        middle, about = (box[axis] + box[axis + 2]) / 2, (anchor[axis] + anchor[axis + 2]) / 2
        offsets.append(((middle - about) / own / variances[0], math.log(side / own) / variances[1]))
    return [offsets[0][0], offsets[1][0], offsets[0][1], offsets[1][1]]


def decode(offsets, anchor, variances=(0.1, 0.2)):
    low, high = [], []
    for axis in (0, 1):
        own, about = anchor[axis + 2] - anchor[axis], (anchor[axis] + anchor[axis + 2]) / 2
        middle = about + offsets[axis] * variances[0] * own
        side = own * min(1000 / 16, math.exp(min(700.0, offsets[axis + 2] * variances[1])))
        low.append(middle - side / 2)
        high.append(middle + side / 2)
    return [*low, *high]


def greedy(matrix):
    """Rows anchors, columns true boxes → the column of each row, or -1."""
    place = [-1] * len(matrix)
    boxes = range(len(matrix[0]) if matrix else 0)
    free = set(boxes)
    while True:
        pairs = [
            (matrix[anchor][box], -box, -anchor)
            for box in free
            for anchor, taken in enumerate(place)
            if taken == -1 and matrix[anchor][box] > 0
        ]
        if not pairs:
            return place
        _, box, anchor = max(pairs)
        place[-anchor] = -box
        free.remove(-box)


def thresholds(matrix, positive, negative, best=True):
    """-1 is background, -2 neither."""
    own = greedy(matrix) if best else [-1] * len(matrix)
    place = []
    for row, mine in zip(matrix, own, strict=True):
        largest = max(row, default=0.0)
        if mine != -1:
            place.append(mine)
        elif largest >= positive:
            place.append(row.index(largest))
        else:
            place.append(-1 if largest < negative else -2)
    return place


def hard_suppression(boxes, scores, classes, threshold):
    kept = []
    for place in sorted(range(len(boxes)), key=lambda n: (-scores[n], n)):
        rivals = [k for k in kept if classes[k] == classes[place]]
        if all(iou(boxes[k], boxes[place]) <= threshold for k in rivals):
            kept.append(place)
    return kept


def soft_suppression(boxes, scores, classes, *, threshold, decay, sigma=0.5, least=0.001):
    """Figure 2 of arXiv:1704.04503: the places in the order they are kept, and their scores."""
    left, new, kept = set(range(len(boxes))), list(scores), []
    while left:
        best = max(left, key=lambda n: (new[n], -n))
        if new[best] < least:
            break
        kept.append(best)
        left.remove(best)
        for other in left:
            if classes[other] != classes[best]:
                continue
            overlap = iou(boxes[best], boxes[other])
            if decay == "gaussian":
                new[other] *= math.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                new[other] *= 1 - overlap
    return kept, [new[place] for place in kept]


def anchors(size_hw, strides, sizes, ratios):
    found = []
    for stride, of_level, shapes in zip(strides, sizes, ratios, strict=True):
        for row in range(math.ceil(size_hw[0] / stride)):
            for column in range(math.ceil(size_hw[1] / stride)):
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                for size in of_level:
                    for ratio in shapes:
                        wide, high = size / math.sqrt(ratio), size * math.sqrt(ratio)
                        found.append((x - wide / 2, y - high / 2, x + wide / 2, y + high / 2))
    return found


def roles(matrix, ignored, remedy, *, covered=None, logits=None):
    """Each anchor's (place, box, class, objectness, its weight), at the defaults of a remedy."""
    learned = [[0.0 if off else v for v, off in zip(row, ignored, strict=True)] for row in matrix]
    hiding = matrix if covered is None else covered
    one_to_one, found = greedy(learned), []
    for anchor, row in enumerate(learned):
        mine, largest = one_to_one[anchor], max(row, default=0.0)
        near = row.index(largest) if row else -1
        if mine != -1:
            role = (mine, 1.0, 1.0, 1.0, 1.0)
        elif remedy == "ignore_band" and largest >= 0.7:
            role = (near, 1.0, 1.0, 1.0, 1.0)
        elif remedy == "extra_positives" and largest >= 0.7:
            role = (near, 0.0, 0.0, 1.0, 1.0)
        else:
            weight = 1.0
            if remedy == "ignore_band" and largest >= 0.3:
                weight = 0.0
            if remedy == "extra_positives" and largest < 0.3:
                weight = 0.0
            if remedy == "background_weight":
                weight = 0.1
            if any(v >= 0.5 for v, off in zip(hiding[anchor], ignored, strict=True) if off):
                weight = 0.0
            role = (-1, 0.0, 0.0, 0.0, weight)
        found.append(role)
    return _mined(found, logits) if remedy == "hard_negative_mining" else found


def _mined(found, logits):
    background = [n for n, role in enumerate(found) if role[3] == 0 and role[4] > 0]
    background.sort(key=lambda n: (-logits[n], n))  # the loss grows with the logit
    objects = sum(role[3] for role in found)
    kept = set(background[: int(3 * objects)])
    return [(*role[:4], role[4] if role[3] or n in kept else 0.0) for n, role in enumerate(found)]
