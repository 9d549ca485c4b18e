"""Networks: backbones by name, each built with channels, width and size_hw."""

from saccade.nn.gradients import GradientResNet
from saccade.nn.small_resnet import SmallResNet

BACKBONES = {"gradient_resnet": GradientResNet, "small_resnet": SmallResNet}
