"""Right and wrong boxes by the rules of PASCAL VOC.

M. Everingham, L. Van Gool, C. K. I. Williams, J. Winn, A. Zisserman, "The PASCAL Visual Object
Classes (VOC) Challenge", IJCV 88, 2010, section 4.2. A found box goes to the true box that it
overlaps most, taken or not; the surest is right, later ones are mistakes. What goes to a difficult
box is left out. The files of VOC count pixels from 1 and both ends in: [xmin, ymin, xmax, ymax] is
[xmin - 1, ymin - 1, xmax - xmin + 1, ymax - ymin + 1] here.
"""

from dataclasses import replace

import numpy as np

from saccade.boxes import FoundBoxes, TrueBoxes, overlapping
from saccade.metrics.box_matching import Matches, Matching, keys, surest_first
from saccade.metrics.detection import Ranking, rankings

VOC_OVERLAP = 0.5


def voc_rankings(
    true: TrueBoxes, found: FoundBoxes, *, categories: int, at_least: float = VOC_OVERLAP
) -> tuple[Ranking, ...]:
    """Return a Ranking for each category, of one threshold; ``true.crowd`` are the difficult.

    Their ``average_precision`` is the one of VOC with ``recalls=VOC_RECALLS`` until 2009, with
    ``recalls=None`` since 2010.
    """
    boxes, rank, place = surest_first(found, len(found.score))
    plain = replace(true, crowd=np.zeros(len(true.crowd), bool))
    true_key, found_key = keys(true, boxes)
    pairs = overlapping(plain, boxes, true_key=true_key, found_key=found_key, at_least=at_least)
    order = np.lexsort((pairs.true, -pairs.iou, pairs.found))
    hits, first = np.unique(pairs.found[order], return_index=True)
    partners = pairs.true[order[first]]
    earliest = np.zeros(len(hits), bool)
    earliest[np.unique(partners, return_index=True)[1]] = True
    kept = earliest | true.crowd[partners]
    inside = np.ones(len(rank), bool)
    matches = Matches(~true.crowd, inside, (hits[kept],), (partners[kept],))
    matching = Matching(boxes, rank, place, {"all": matches})
    return rankings(matching, true, area="all", categories=categories)
