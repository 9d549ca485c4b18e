"""Why boxes are wrong, and what each kind of mistake costs: equal to a slow loop."""

import numpy as np
import pytest

from saccade.metrics.box_errors import KINDS, box_errors, costs
from tests.box_cases import Case, columns, iou, made

SEEDS = range(20)


class Slow:
    """TIDE, box by box, from sections 2.2 and 2.3 of the paper; scores must differ."""

    def __init__(self, case):
        self.case, self.hit, self.left_out = case, {}, set()
        order = sorted(range(len(case.found)), key=lambda n: -case.found[n]["score"])
        looked = {}
        self.found = []
        for n in order:
            row = case.found[n]
            key = row["image_id"], row["category_id"]
            looked[key] = looked.get(key, 0) + 1
            if looked[key] <= 100:
                self.found.append(n)
        for n in self.found:
            self.match(n)
        self.kind, self.meant = {}, {}
        for n in self.found:
            if n not in self.hit and n not in self.left_out:
                self.explain(n)
        reached = {*self.hit.values(), *self.meant.values()}
        self.missed = {t for t in self.counted() if t not in reached}

    def counted(self):
        return [t for t, row in enumerate(self.case.true) if not row["iscrowd"]]

    def match(self, n):
        row, best, most = self.case.found[n], None, 0.5
        for t in self.counted():
            other = self.case.true[t]
            if same(row, other) and t not in self.hit.values():
                shared = iou(row["bbox"], other["bbox"])
                if shared >= most:
                    best, most = t, shared
        if best is not None:
            self.hit[n] = best
            return
        for other in self.case.true:
            if same(row, other) and other["iscrowd"]:
                own, there = row["bbox"], other["bbox"]
                wide = min(own[0] + own[2], there[0] + there[2]) - max(own[0], there[0])
                high = min(own[1] + own[3], there[1] + there[3]) - max(own[1], there[1])
                if min(wide, high) > 0 and wide * high / (own[2] * own[3]) >= 0.5:
                    self.left_out.add(n)

    def explain(self, n):
        row = self.case.found[n]
        own, other, near = (0.0, None), (0.0, None), 0.0
        for t in self.counted():
            there = self.case.true[t]
            if there["image_id"] != row["image_id"]:
                continue
            shared = iou(row["bbox"], there["bbox"])
            near = max(near, shared)
            if there["category_id"] == row["category_id"]:
                own = max(own, (shared, t), key=lambda pair: pair[0])
            else:
                other = max(other, (shared, t), key=lambda pair: pair[0])
        if 0.1 <= own[0] < 0.5:
            self.kind[n], self.meant[n] = "location", own[1]
        elif other[0] >= 0.5:
            self.kind[n], self.meant[n] = "class", other[1]
        elif own[0] >= 0.5:
            self.kind[n] = "duplicate"
        else:
            self.kind[n] = "background" if near < 0.1 else "both"

    def precision(self, *, mended=(), gone=(), wanted=None):
        """Mean average precision when ``mended`` boxes hit what they meant and ``gone`` are not."""
        hits = {**self.hit, **{n: self.meant[n] for n in mended}}
        for n in sorted(hits, key=lambda n: -self.case.found[n]["score"]):
            rivals = [m for m in hits if hits[m] == hits[n]]
            surest = max(rivals, key=lambda m: self.case.found[m]["score"])
            gone = {*gone, *(m for m in rivals if m != surest)}
        wanted = self.counted() if wanted is None else wanted
        totals = []
        for k in range(self.case.categories):
            if not any(self.case.true[t]["category_id"] == k for t in self.counted()):
                continue
            need = sum(self.case.true[t]["category_id"] == k for t in wanted)
            right = seen = 0
            curve = []
            for n in self.found:
                category = self.case.true[hits[n]]["category_id"] if n in mended else None
                category = self.case.found[n]["category_id"] if category is None else category
                if category != k or n in gone or n in self.left_out:
                    continue
                seen, right = seen + 1, right + (n in hits)
                curve.append((right / need if need else 0.0, right / seen))
            at = [max((p for r, p in curve if r >= t), default=0.0) for t in np.linspace(0, 1, 101)]
            totals.append(sum(at) / 101 if need else 0.0)
        return sum(totals) / len(totals) if totals else None

    def costs(self):
        base = self.precision()
        if base is None:
            return None
        these = {name: {n for n in self.kind if self.kind[n] == name} for name in KINDS}
        found = {name: self.precision(gone=these[name]) for name in KINDS[2:5]}
        found |= {name: self.precision(mended=these[name]) for name in KINDS[:2]}
        left = [t for t in self.counted() if t not in self.missed]
        found["missed"] = self.precision(wanted=left)
        found["false positives"] = self.precision(gone=set(self.kind))
        found["false negatives"] = self.precision(wanted=list(self.hit.values()))
        return {name: value - base for name, value in found.items()}


def same(row, other):
    return all(row[key] == other[key] for key in ("image_id", "category_id"))


def test_kinds_and_costs_are_those_of_a_slow_loop():
    seen = dict.fromkeys(KINDS, 0)
    for seed in SEEDS:
        case = made(seed, coarse=False)
        slow, fast = Slow(case), box_errors(*columns(case), categories=case.categories)
        counts = {name: list(slow.kind.values()).count(name) for name in KINDS[:5]}
        assert fast.counts() == {**counts, "missed": len(slow.missed)}, seed
        named = {int(n): KINDS[k] for n, k in zip(fast.place, fast.kind, strict=True) if k >= 0}
        assert named == slow.kind
        assert set(np.flatnonzero(fast.missed)) == slow.missed
        mended, expected = dict(fast.mended()), slow.costs()
        gains = costs(fast.rankings(), mended.values())[0]
        if expected is None:
            assert np.isnan(gains).all()
        else:
            found = dict(zip(mended, gains, strict=True))
            assert found == pytest.approx(expected, abs=1e-12), seed
        for name in KINDS:
            seen[name] += fast.counts()[name]
    assert min(seen.values()) > 2, seen


def test_the_cost_in_a_draw_is_that_of_the_pictures_drawn():
    case = made(5, coarse=False)
    times = np.random.default_rng(1).multinomial(case.pictures, [1 / case.pictures] * case.pictures)
    copies = Case(case.pictures, case.categories, [], [])
    for place, picture in enumerate(np.repeat(np.arange(case.pictures), times).tolist()):
        for rows, kept in ((case.true, copies.true), (case.found, copies.found)):
            kept += [{**row, "image_id": place} for row in rows if row["image_id"] == picture]
    first, second = (box_errors(*columns(c), categories=c.categories) for c in (case, copies))
    weighted, drawn = (
        costs(one.rankings(), [rows for _, rows in one.mended()], weights)
        for one, weights in ((first, times[None].astype(float)), (second, None))
    )
    np.testing.assert_allclose(weighted, drawn, rtol=0, atol=1e-12)
    assert abs(weighted).max() > 0.01
    assert costs(first.rankings(), [first.rankings()]).tolist() == [[0.0]]
