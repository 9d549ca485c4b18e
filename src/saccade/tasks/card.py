"""A model card, ``model.json``, read with distrust: whatever it holds, a model is made of it."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saccade.boxes.suppression import SUPPRESSIONS
from saccade.class_tree import ClassTree
from saccade.errors import InputError
from saccade.nn.recurrent import CELLS
from saccade.nn.region_head import POOLS
from saccade.tasks.detector import FAMILIES
from saccade.tasks.neighbours import DISTANCES
from saccade.values import VOID

FORMAT = 1
CARD_FILE = "model.json"
# The keys that a card must have, by its kind.
PIXEL_KEYS = {"dimension", "channels", "size_hw"}
WEIGHT_KEYS = {"channels", "size_hw", "backbone", "width", "sha256"}
NEEDED_KEYS = {
    "pixels": PIXEL_KEYS,
    "network": PIXEL_KEYS | WEIGHT_KEYS,
    "classifier": WEIGHT_KEYS | {"classes"},
    "detector": WEIGHT_KEYS | {"classes", "detect", "answer"},
    "segmenter": WEIGHT_KEYS | {"classes", "segment", "masks"},
    "forecaster": WEIGHT_KEYS | {"forecast"},
    "regressor": WEIGHT_KEYS | {"targets", "centre", "spread"},
}
# Of a forecaster's network: what are whole numbers, and the largest of each.
FORECAST_NUMBERS = {"seen": 64, "ahead": 64, "reach": 15}
WIDEST_FORECASTER = 4096
# Of a detector's network: what are lists of numbers, and the largest of what are numbers.
NETWORK_LISTS = ("strides", "ratios", "fine_ratios")
NETWORK_NUMBERS = {"side": 1e4, "scales": 8, "depth": 4096}
SECOND_STAGE = {"proposals": 10**6, "kept": 10**5, "units": 8192}
WHOLE_NUMBERS = {"scales", "depth", *SECOND_STAGE}
MOST_OF_A_LIST = 64
LONGEST_SIDE = 4096  # pixels: a detector's network is shown a picture of its size when it is made
MOST_STRIDE, MOST_DEPTH, FITS = 1024, 4096, ("stretch", "tiles")  # of a segmenter
# These may be missing; then the backbone has its own.
PART_KEYS = ("activation", "normalisation")
# And these; then each picture is brought to its own mean.
COLOUR_KEYS = ("mean", "std")


def read_card(file: Path) -> dict[str, Any]:
    """Return the content of ``model.json``; raises InputError where it makes no model."""
    if not file.is_file():
        raise InputError(
            f"{file.parent} holds no {CARD_FILE}: it is not a run, or its training did not end"
        )
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        newer = card["format"] > FORMAT
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is not a model card; copy the run again") from error
    if newer:
        raise InputError(
            f"{file} has format {card['format']}, this Saccade reads {FORMAT}; install a newer one"
        )
    if not _complete(card):
        raise InputError(f"{file} is not a complete model card; copy the run again")
    found: dict[str, Any] = card
    return found


def seen_whole(card: Mapping[str, Any]) -> tuple[int, int]:
    """Return the height and width of whole pictures that are learned from, at least ``size_hw``.

    It is larger only where a segmenter learns from tiles.
    """
    own = card["size_hw"]
    whole = card.get("segment", {}).get("whole_hw", own)
    return max(own[0], whole[0]), max(own[1], whole[1])


def _complete(card: dict[str, Any]) -> bool:
    """True when the card has all keys of its kind, and what they hold can be."""
    needed = NEEDED_KEYS.get(str(card.get("kind")), {"a kind that Saccade knows"})
    return needed <= card.keys() and all(check(card) for check in CHECKS)


def _sizes(card: dict[str, Any]) -> bool:
    """True for a height and a width, all sizes whole numbers above zero."""
    if not isinstance(card["size_hw"], list) or len(card["size_hw"]) != 2:
        return False
    sizes = [card.get("dimension", 1), card["channels"], *card["size_hw"], card.get("width", 1)]
    return all(type(size) is int and size > 0 for size in sizes)


def _parts(card: dict[str, Any]) -> bool:
    """True where parts of the network are told by their names."""
    return all(isinstance(card.get(key, ""), str) for key in ("backbone", *PART_KEYS))


def _classes(card: dict[str, Any]) -> bool:
    """True for a classifier's two names or more; of other kinds always."""
    if card["kind"] != "classifier":
        return True
    return _names(card["classes"]) and len(card["classes"]) > 1


def _threshold(card: dict[str, Any]) -> bool:
    """True for none, or for an entry whose similarity is a cosine."""
    entry = card.get("threshold")
    if entry is None:
        return True
    found = entry.get("similarity") if isinstance(entry, dict) else None
    return isinstance(found, float | int) and -1 <= found <= 1


def _temperature(card: dict[str, Any]) -> bool:
    """True for none, or a finite number above zero."""
    found = card.get("temperature", 1.0)
    return type(found) in (int, float) and 0 < found < math.inf


def _head(card: dict[str, Any]) -> bool:
    """True for a way to answer that exists, and of nearest neighbours all that they need."""
    if card.get("model") != "knn":
        return card.get("model") in (None, "ridge")
    whole = type(card.get("k")) is int and card["k"] > 0
    return whole and card["kind"] == "classifier" and card.get("distance") in DISTANCES


def _colours(card: dict[str, Any]) -> bool:
    """True for no mean and deviation, or for three finite numbers each, deviations above zero."""
    mean, std = card.get("mean"), card.get("std")
    if mean is None and std is None:
        return True
    if not (isinstance(mean, list) and isinstance(std, list) and len(mean) == len(std) == 3):
        return False
    numbers = all(type(v) in (int, float) and abs(v) < math.inf for v in mean + std)
    return numbers and min(std) > 0


def _detector(card: dict[str, Any]) -> bool:
    """True of other kinds; of a detector for classes, a network and answers that can be."""
    if card["kind"] != "detector":
        return True
    network, answer = card["detect"], card["answer"]
    if not (_names(card["classes"]) and isinstance(network, dict) and isinstance(answer, dict)):
        return False
    return max(card["size_hw"]) <= LONGEST_SIDE and _network(network) and _answer(answer)


def _network(told: dict[str, Any]) -> bool:
    wanted = {"family", *NETWORK_LISTS, *NETWORK_NUMBERS}
    if told.get("family") == "two_stage":
        wanted |= {*SECOND_STAGE, "pool"}
    numbers = NETWORK_NUMBERS | SECOND_STAGE
    return (
        told.keys() == wanted
        and all(isinstance(told.get(key, ""), str) for key in ("family", "pool"))
        and told["family"] in FAMILIES
        and told.get("pool", "align") in POOLS
        and all(_positive(told[key], most) for key, most in numbers.items() if key in told)
        and all(type(told[key]) is int for key in WHOLE_NUMBERS & told.keys())
        and all(_list_of_numbers(told[key]) for key in NETWORK_LISTS)
        and _strides(told["strides"])
    )


def _strides(found: list[Any]) -> bool:
    """True for rising powers of two, from 2 on."""
    powers = all(type(one) is int and one > 1 and not one & (one - 1) for one in found)
    return powers and found == sorted(set(found))


def _answer(told: dict[str, Any]) -> bool:
    return (
        told.keys() == {"suppression", "overlap", "at_least", "most"}
        and isinstance(told["suppression"], str)
        and told["suppression"] in SUPPRESSIONS
        and all(type(told[key]) in (int, float) for key in ("overlap", "at_least"))
        and all(0 <= told[key] <= 1 for key in ("overlap", "at_least"))
        and type(told["most"]) is int
        and 0 < told["most"] <= 1e5
    )


def _positive(value: Any, most: float) -> bool:
    return type(value) in (int, float) and 0 < value <= most


def _list_of_numbers(found: Any) -> bool:
    if not isinstance(found, list) or not 0 < len(found) <= MOST_OF_A_LIST:
        return False
    return all(_positive(value, 1e4) for value in found)


def _segmenter(card: dict[str, Any]) -> bool:
    """True of other kinds; of a segmenter for 2 to 255 classes and settings that can be."""
    if card["kind"] != "segmenter":
        return True
    told = card["segment"]
    return (
        _names(card["classes"])
        and 2 <= len(card["classes"]) <= VOID
        and max(card["size_hw"]) <= LONGEST_SIDE
        and isinstance(told, dict)
        and isinstance(card["masks"], dict)
        and told.keys() - {"whole_hw"} == {"stride", "depth", "fit", "overlap", "masks"}
        and type(told["stride"]) is int
        and _strides([told["stride"]])
        and told["stride"] <= MOST_STRIDE
        and type(told["depth"]) is int
        and 0 <= told["depth"] <= MOST_DEPTH
        and told["fit"] in FITS
        and isinstance(told["masks"], str)
        and _whole_numbers(told.get("whole_hw", [1, 1]))
        and type(told["overlap"]) in (int, float)
        and 0 <= told["overlap"] < 1
    )


def _whole_numbers(found: Any) -> bool:
    """True for a height and a width."""
    return isinstance(found, list) and len(found) == 2 and all(type(n) is int for n in found)


def _names(found: Any) -> bool:
    """True for at least one name, all distinct."""
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        return False
    return len(set(found)) == len(found) > 0


def _tree(card: dict[str, Any]) -> bool:
    """True for none, or names with their parents, in no loop, of which the classes are leaves."""
    found = card.get("tree", {})
    if not found:
        return "tree" not in card
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        return False
    try:
        ClassTree(found).paths(card.get("classes", []))
    except InputError:
        return False
    return True


def _units(card: dict[str, Any]) -> bool:
    """True for a regressor's names of targets, as many finite means, deviations above zero."""
    if card["kind"] != "regressor":
        return True
    names, centre, spread = (card[key] for key in ("targets", "centre", "spread"))
    if not (_names(names) and isinstance(centre, list) and isinstance(spread, list)):
        return False
    numbers = all(type(v) in (int, float) and abs(v) < math.inf for v in centre + spread)
    return len(names) == len(centre) == len(spread) and numbers and min(spread) > 0


def _forecaster(card: dict[str, Any]) -> bool:
    """True of other kinds; of a forecaster for frames and a network that can be."""
    if card["kind"] != "forecaster":
        return True
    told = card["forecast"]
    if not isinstance(told, dict) or told.keys() != {"cell", *FORECAST_NUMBERS}:
        return False
    if not isinstance(told["cell"], str) or told["cell"] not in CELLS:
        return False
    whole = all(type(told[key]) is int for key in FORECAST_NUMBERS)
    within = whole and all(0 < told[key] <= most for key, most in FORECAST_NUMBERS.items())
    fits = card["channels"] in (1, 3) and 1 < card["width"] <= WIDEST_FORECASTER
    return within and fits and max(card["size_hw"]) <= LONGEST_SIDE


CHECKS = (
    _sizes,
    _parts,
    _threshold,
    _classes,
    _tree,
    _units,
    _head,
    _colours,
    _temperature,
    _detector,
    _segmenter,
    _forecaster,
)
