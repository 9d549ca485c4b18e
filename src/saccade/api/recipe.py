"""The recipe of a run: a file or a Recipe, with settings laid over it, checked as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from saccade.config import AUTO, ModelSettings, Recipe, override, read_recipe, settings
from saccade.errors import SettingError

MAX_BATCH = 4096
WITHOUT_DESCENT = ("knn", "ridge")
# What only tasks that learn one class, or numbers, of a whole picture have a use of.
OF_WHOLE_PICTURES = ("data.tree", "data.extra_classes", "data.target", "train.batches")
AS_USUAL = {"train.batches": "shuffled"}  # what auto means there


def whole_recipe(
    recipe: Recipe | Path | str | None, task: str | None, changes: Mapping[str, Any]
) -> Recipe:
    """Return the recipe with ``changes`` and ``task`` laid over it.

    Raises SettingError for a name or value that is not allowed, also of a Recipe made in Python.
    """
    whole = recipe if isinstance(recipe, Recipe) else read_recipe(recipe) if recipe else Recipe()
    named = {} if task is None else {"task": task}
    whole = override(Recipe(), recipe_values(whole).items(), where="recipe")
    whole = override(whole, {**changes, **named}.items(), where="settings")
    batch = whole.train.classes_per_batch * whole.train.pictures_per_class
    if batch > MAX_BATCH:
        raise SettingError(
            f"a batch of {batch:,} pictures is over {MAX_BATCH:,}; lower train.classes_per_batch "
            "or train.pictures_per_class"
        )
    return _with_features(whole)


def require_usual(
    recipe: Recipe, names: Sequence[str], *, instead: Mapping[str, str] | None = None
) -> None:
    """Raise SettingError for the first setting of ``names`` that is not at its default.

    ``instead``: what to set in its place, by name.
    """
    values, usual = recipe_values(recipe), recipe_values(Recipe())
    for name in names:
        if values[name] not in (usual[name], AS_USUAL.get(name)):
            more = f" and set {instead[name]}" if instead and name in instead else ""
            raise SettingError(
                f"{name} {values[name]} is not for task {recipe.task}; leave it out{more}"
            )


def _with_features(recipe: Recipe) -> Recipe:
    """Put model.features in the place of the backbone; no epochs for a model without descent."""
    model = recipe.model
    usual = model.backbone == ModelSettings().backbone
    if model.features and not usual and model.backbone != model.features:
        raise SettingError(
            f"model.features {model.features} and model.backbone {model.backbone} exclude each "
            "other; leave one of them out"
        )
    if model.features:
        recipe = replace(recipe, model=replace(model, backbone=model.features))
    elif model.name != "network" and usual and not model.weights:
        recipe = replace(recipe, model=replace(model, backbone="pixels"))
    if model.name in WITHOUT_DESCENT:
        recipe = replace(recipe, train=replace(recipe.train, epochs=0))
    return recipe


def recipe_values(recipe: Recipe) -> dict[str, Any]:
    """Return every setting by its name, as a checkpoint keeps it."""
    return {name: entry.value for name, entry in settings(recipe).items()}


def chosen_loss(recipe: Recipe, *, auto: str) -> tuple[str, dict[str, Any]]:
    """Return the loss's name, ``auto`` for "auto", and the settings not left to the loss."""
    chosen = {key: value for key, value in vars(recipe.loss).items() if value != AUTO}
    name = chosen.pop("name", auto)
    del chosen["class_weights"]  # Known only with the pictures.
    return name, chosen
