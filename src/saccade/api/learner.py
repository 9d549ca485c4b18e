"""What learns: the network, its task, the optimiser and the average of the weights."""

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from saccade.api.data import TrainingData
from saccade.api.procedures import Procedure
from saccade.api.rates import chosen_rates
from saccade.api.weights import Weights
from saccade.config import AUTO, Recipe
from saccade.data.batches import BalancedBatches, Batches, ShuffledBatches
from saccade.data.symmetries import EXTRA_CLASSES
from saccade.errors import SettingError
from saccade.names import look_up
from saccade.optim import AVERAGED, FULL_BATCH, make_optimiser
from saccade.tasks.network import BackboneNetwork
from saccade.tasks.networks import Network, build_network
from saccade.training.average import WeightAverage

# What first weights are fitted to: enough places to see, and little memory.
MOST_PICTURES, FEWEST_PICTURES, ABOUT_PIXELS = 256, 16, 1 << 20


@dataclass(frozen=True)
class Learner:
    """The parts of a run that change as it learns; ``average`` is None where none is asked for."""

    network: Network
    task: nn.Module
    optimiser: Optimizer
    average: WeightAverage | None

    def weights(self) -> dict[str, Tensor]:
        """The network's weights as the model would get them now: averaged, if they are."""
        state = self.network.state_dict()
        if self.average is None:
            return dict(state)
        return {name: self.average.average[f"network.{name}"] for name in state}


def make_learner(
    recipe: Recipe,
    data: TrainingData,
    procedure: Procedure,
    weights: Weights | None,
    batch: Tensor | None = None,
) -> Learner:
    """Return a learner with fresh weights drawn from the seed, or with ``weights`` to start from.

    ``batch``, (n, c, H, W) float in [0, 1], is for an initialisation that looks at pictures.
    Raises SettingError for a name in the recipe that does not exist, InputError for weights that do
    not fit.
    """
    if recipe.train.threads:
        torch.set_num_threads(recipe.train.threads)
    first = recipe.model.initialisation
    if weights is not None and first:
        raise SettingError(
            "model.weights brings first weights, so model.initialisation cannot draw them. Got "
            f"'{first}'; leave one of them out"
        )
    images = look_up(EXTRA_CLASSES, recipe.data.extra_classes, "way to add classes")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.seed)
        network = build_network(data.card, initialisation=first)
        if weights is not None:
            weights.load(network)
        if isinstance(network, BackboneNetwork):
            if weights is not None:
                network.clear_head()
            if batch is not None:
                network.initialise(first, batch)
        own = Counter(sample.label for sample in data.kept)
        counts = [own[label] for label in data.classes] * len(images)
        task = procedure.task(network, counts=counts, card=data.card)
        task = task.to(memory_format=torch.channels_last)
    optimiser = make_optimiser(
        [task],
        name=recipe.optim.name,
        lr=chosen_rates(recipe.optim).lr,
        weight_decay=recipe.optim.weight_decay,
        slow=network.backbone,
        slow_share=recipe.optim.backbone_lr,
    )
    decay = recipe.optim.ema or (1.0 if recipe.optim.name in AVERAGED else 0.0)
    return Learner(network, task, optimiser, WeightAverage(task, decay=decay) if decay else None)


def first_batch(data: TrainingData) -> Tensor:
    """Pictures (n, c, H, W) float in [0, 1], spread over all that are learned from."""
    count, _, height, width = data.pictures.shape
    wanted = min(MOST_PICTURES, max(FEWEST_PICTURES, ABOUT_PIXELS // (height * width)))
    rows = torch.arange(0, count, -(-count // wanted))
    return data.pictures[rows].float() / 255


def make_batches(recipe: Recipe, data: TrainingData, procedure: Procedure) -> Batches:
    """Return the draws of batches that the recipe asks for."""
    settings = recipe.train
    auto = "shuffled" if recipe.optim.name in FULL_BATCH else procedure.batches
    kind = auto if settings.batches == AUTO else settings.batches
    if kind == "shuffled":
        return ShuffledBatches(
            len(data.targets), batch_size=settings.batch_size, seed=settings.seed
        )
    return BalancedBatches(
        data.targets.numpy(),
        classes_per_batch=settings.classes_per_batch,
        pictures_per_class=settings.pictures_per_class,
        seed=settings.seed,
    )
