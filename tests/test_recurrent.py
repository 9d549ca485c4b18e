"""Recurrent cells: what each keeps is its definition, and its slopes are right."""

import numpy as np
import pytest
import torch
from torch import nn

from saccade.nn.recurrent import CELLS, FORGET_BIAS


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def cell(name, channels_in=3, channels=4, size=3):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return CELLS[name].make(channels_in=channels_in, channels=channels, size=size).double()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolved(layer, maps):
    """A convolution that keeps the size, as a loop; maps (c, H, W)."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    half = weight.shape[2] // 2
    padded = np.pad(maps, ((0, 0), (half, half), (half, half)))
    _, height, width = maps.shape
    found = np.zeros((len(weight), height, width))
    for out in range(len(weight)):
        for row in range(height):
            for column in range(width):
                seen = padded[:, row : row + 2 * half + 1, column : column + 2 * half + 1]
                found[out, row, column] = (seen * weight[out]).sum() + bias[out]
    return found


def lstm(made, seen, state):
    before, memory = state or (np.zeros((made.channels, *seen.shape[1:])),) * 2
    let_in, keep, new, let_out = np.split(convolved(made.gates, np.concatenate([seen, before])), 4)
    memory = sigmoid(keep) * memory + sigmoid(let_in) * np.tanh(new)
    after = sigmoid(let_out) * np.tanh(memory)
    return after, (after, memory)


def gru(made, seen, state):
    (before,) = state or (np.zeros((made.channels, *seen.shape[1:])),)
    update, reset = np.split(sigmoid(convolved(made.gates, np.concatenate([seen, before]))), 2)
    new = np.tanh(convolved(made.candidate, np.concatenate([seen, reset * before])))
    after = (1 - update) * before + update * new
    return after, (after,)


REFERENCES = {"convlstm": lstm, "convgru": gru}


@pytest.mark.parametrize("name", CELLS)
def test_three_frames_equal_the_loop(name):
    made, frames = cell(name), draw(3, 1, 3, 4, 5)
    state, wanted_state = None, None
    for frame in frames:
        found, state = made(frame, state)
        wanted, wanted_state = REFERENCES[name](made, frame[0].numpy(), wanted_state)
        np.testing.assert_allclose(found[0].detach().numpy(), wanted, atol=1e-12)
    assert len(state) == len(wanted_state)


def test_on_one_pixel_convlstm_is_the_lstm_of_torch():
    made, other = cell("convlstm", size=1), nn.LSTMCell(3, 4).double()
    with torch.no_grad():
        weight = made.gates.weight[:, :, 0, 0]
        other.weight_ih.copy_(weight[:, :3])
        other.weight_hh.copy_(weight[:, 3:])
        other.bias_ih.copy_(made.gates.bias)
        other.bias_hh.zero_()
    state, known = None, None
    for frame in draw(4, 2, 3):
        found, state = made(frame[:, :, None, None], state)
        known = other(frame, known)
        torch.testing.assert_close(found[:, :, 0, 0], known[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_the_gradient_through_two_frames_is_that_of_finite_differences(name):
    made = cell(name, channels_in=2, channels=2)
    weights = list(made.parameters())

    def after_two(first, second, *_):
        _, state = made(first, None)
        return made(second, state)[0]

    frames = [draw(1, 2, 3, 3, seed=seed).requires_grad_() for seed in (2, 3)]
    assert torch.autograd.gradcheck(after_two, (*frames, *weights))


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_keeps_the_size_and_its_range_and_begins_from_nothing(name):
    made = cell(name)
    maps, state = made(50 * draw(2, 3, 5, 4), None)
    assert maps.shape == (2, 4, 5, 4) and maps.abs().max() <= 1
    zeros = tuple(torch.zeros_like(one) for one in state)
    torch.testing.assert_close(made(draw(2, 3, 5, 4), zeros)[0], made(draw(2, 3, 5, 4), None)[0])


def test_the_forget_gate_begins_open():
    bias = cell("convlstm").gates.bias
    assert (bias[4:8] == FORGET_BIAS).all() and (bias[:4] != FORGET_BIAS).all()
