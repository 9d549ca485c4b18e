"""What a learning curve says in sentences: how well it fits, whether it rises, what would help."""

from saccade.judge.learning_curve import OVER, SHARES, UNDER, UNSURE, Curve
from saccade.judge.power_law import FEWEST
from saccade.values import Interval


def sentences(curve: Curve) -> list[str]:
    """Return what the curve shows, a sentence each, and last what is likely to help."""
    told = [_fit(curve), _rise(curve), _twice(curve), _validation(curve), remedy(curve)]
    return [sentence for sentence in told if sentence]


def remedy(curve: Curve) -> str:
    """Say what is likely to help."""
    if curve.fit == UNSURE:
        return (
            "To know more, judge on more pictures: a larger data.validation, or a part val; or "
            "train more often, with --repeats."
        )
    more = "more pictures" if curve.rises else ""
    if curve.fit == OVER:
        regular = (
            "stronger regularisation (augment.*, model.dropout, optim.weight_decay), a smaller "
            "model, or first weights from a larger data set (model.weights)"
        )
        return f"Likely to help: {more}; {regular}." if more else f"Likely to help: {regular}."
    if curve.fit == UNDER:
        capacity = (
            "more capacity (model.width, another model.backbone), longer training (train.epochs), "
            "or less regularisation"
        )
        return f"Likely to help: {capacity}{f'; then {more}' if more else ''}."
    if more:
        return "Likely to help: more pictures."
    return "Nothing here asks for a change of the model, and more pictures are not shown to help."


def points(curve: Curve, found: Interval) -> str:
    """Write a difference of scores: "3.1 points (1.2 to 5.0)"; of R² "0.031 of R² (…)"."""
    low, value, high = found.low, found.value, found.high
    if curve.figure in SHARES:
        return f"{100 * value:.1f} points ({100 * low:.1f} to {100 * high:.1f})"
    return f"{value:.3f} of {curve.figure} ({low:.3f} to {high:.3f})"


def _fit(curve: Curve) -> str:
    last = curve.points[-1]
    scores = (
        f"{curve.figure} {last.train.value:.3f} on the {curve.drawn} learned from, "
        f"{last.held.value:.3f} on the {curve.judged} held out"
    )
    between = points(curve, curve.gap)
    if curve.fit == OVER:
        return f"It over-fits: {scores}, a gap of {between}."
    if curve.fit == UNDER:
        return f"It under-fits: {scores}; even what it learned from is not answered well."
    if curve.fit == UNSURE:
        return (
            f"Whether it over-fits cannot be told: {scores}; the gap of {between} is measured on "
            f"too few {curve.judged} ({last.held.n})."
        )
    return f"It fits: {scores}, a gap of {between}."


def _rise(curve: Curve) -> str:
    if curve.rise is None:
        return ""
    before, last = curve.points[-2:]
    step = f"from {before.n} to {last.n} {curve.drawn}: {points(curve, curve.rise)}"
    return f"The curve still rises {step}." if curve.rises else f"No rise is shown {step}."


def _twice(curve: Curve) -> str:
    if curve.twice is None or curve.gain is None:
        return f"No law is fitted: it needs {FEWEST} sizes or more, {FEWEST + 1} to tell something."
    number = f"{2 * curve.points[-1].n} {curve.drawn}"
    bounds = f"{curve.twice.low:.3f} to {curve.twice.high:.3f}"
    if not curve.law_tells:
        why = "passes through every size" if len(curve.points) <= FEWEST else "is too uncertain"
        return f"What {number} would give cannot be told ({bounds}): the fitted law {why}."
    return (
        f"With {number}, twice as many, {curve.figure} {curve.twice.value:.3f} is expected "
        f"({bounds}), {points(curve, curve.gain)} more by the fitted law."
    )


def _validation(curve: Curve) -> str:
    if curve.validation is None or curve.flattered is None:
        return ""
    return (
        f"On the pictures that chose the epoch it is {curve.validation.value:.3f}, "
        f"{points(curve, curve.flattered)} from what was held out from that choice."
    )
