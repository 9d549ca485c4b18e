"""What stylize is made of: the losses, their slopes, the colours, denoising, the maps."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_tv_chambolle
from torch import nn
from torch.nn.functional import interpolate

from saccade.errors import InputError, NotFiniteError
from saccade.losses.pictures import Style, gram
from saccade.nn import make_backbone
from saccade.pictures.colours import coloured, luminance, matched, matched_luminance
from saccade.pictures.denoise import gathered, slopes, smoothed
from saccade.pictures.style_features import StyleFeatures
from saccade.pictures.style_losses import StyleObjective, Weights
from saccade.pictures.stylize import level_sizes, stylizing
from tests.reference import picture_losses


def draw(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tiny_features(**chosen):
    """Two maps, of stride 2 and 4, smooth, with weights of float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layers = [nn.Conv2d(3, 4, 3, 2, 1), nn.Softplus(), nn.Conv2d(4, 5, 3, 2, 1), nn.Softplus()]
        network = nn.Sequential(*layers)
    features = StyleFeatures(network, name="tiny", mean=(0.4,) * 3, std=(0.2,) * 3, **chosen)
    network.double()
    return features


# Losses


def test_a_gram_matrix_is_that_of_the_definition():
    features = draw(2, 3, 4, 5)
    wanted = np.zeros((2, 3, 3))
    for n, one in enumerate(features.numpy()):
        for i, j in np.ndindex(3, 3):
            wanted[n, i, j] = sum(a * b for a, b in zip(one[i].flat, one[j].flat, strict=True))
    np.testing.assert_allclose(gram(features), wanted / (3 * 4 * 5), rtol=1e-13)


def test_style_to_grams_is_style_to_features():
    layers, wanted = [draw(1, 3, 4, 4), draw(1, 5, 2, 2)], [draw(1, 3, 6, 5), draw(1, 5, 3, 2)]
    style = Style(weights=(0.3, 2.0))
    assert style.to_grams(layers, [gram(one) for one in wanted]) == style(layers, wanted)


def objective(shares=(0.25, 0.75), weights=None):
    styles = [draw(1, 3, 16, 20, seed=3), draw(1, 3, 24, 12, seed=4)]
    counts = weights or Weights(0.7, 1.3, 0.9)
    return StyleObjective(
        tiny_features(), draw(1, 3, 16, 12, seed=2), styles, counts, shares
    ), styles


def test_the_losses_are_those_of_the_papers_as_shares_of_what_is_wanted():
    found, styles = objective(shares=(0.0, 1.0))
    picture = draw(1, 3, 16, 12, seed=5)
    value, _ = found.gradient(picture)
    told = found.record(0)
    (fine, coarse), shown = found.features.maps(picture)
    (wanted_fine, wanted_coarse), _ = found.features.maps(styles[1])
    _, wanted = found.features.maps(draw(1, 3, 16, 12, seed=2))
    arrays = [one.numpy() for one in (shown, wanted)]
    content = picture_losses.content(*arrays) / (0.5 * (arrays[1] ** 2).sum())
    style = 0.0
    for mine, theirs in ((fine, wanted_fine), (coarse, wanted_coarse)):
        a, b = (one.numpy()[0].reshape(one.shape[1], -1) for one in (mine, theirs))
        g, w = a @ a.T / a.size, b @ b.T / b.size
        style += ((g - w) ** 2).sum() / (w**2).sum() / 2
    smooth = picture_losses.total_variation(picture.numpy()) / (16 * 12)
    assert told.content == pytest.approx(content, rel=1e-12)
    assert told.style == pytest.approx(style, rel=1e-12)
    assert told.smooth == pytest.approx(smooth, rel=1e-12)
    assert value == pytest.approx(0.7 * content + 1.3 * style + 0.9 * smooth, rel=1e-12)


@pytest.mark.parametrize("counts", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.7, 1.3, 0.9)])
def test_the_slope_is_that_of_finite_differences(counts):
    found, _ = objective(weights=Weights(*counts))
    picture, way = draw(1, 3, 16, 12, seed=5), draw(1, 3, 16, 12, seed=6) - 0.5
    _, slope = found.gradient(picture)
    step = 1e-5
    ahead, behind = (found.gradient(picture + sign * step * way)[0] for sign in (1, -1))
    assert float((slope * way).sum()) == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


def test_styles_are_mixed_as_if_each_had_its_share_of_the_loss():
    found, styles = objective()
    picture = draw(1, 3, 16, 12, seed=5).requires_grad_()
    _, slope = found.gradient(picture)
    alone, _ = objective(weights=Weights(0.7, 0, 0.9))
    maps, _ = found.features.maps(picture)
    costs = [
        share * found.style(maps, found.features.maps(style)[0])
        for share, style in zip((0.25, 0.75), styles, strict=True)
    ]
    (of_styles,) = torch.autograd.grad(1.3 * sum(costs), picture)
    torch.testing.assert_close(slope, alone.gradient(picture)[1] + of_styles, rtol=1e-9, atol=1e-12)


# The descent


def soft(*size_hw, seed):
    """A picture of soft areas, which vary less than noise."""
    coarse = draw(1, 3, 5, 4, seed=seed)
    return interpolate(coarse, size_hw, mode="bilinear", align_corners=False)


def paint(steps=12, sizes=((32, 24),), **chosen):
    wishes = {"weights": Weights(1, 1, 1), "shares": (1.0,), "steps": steps, "sizes": sizes}
    content, style = soft(40, 30, seed=2), soft(50, 40, seed=3)
    return list(stylizing(content, [style], tiny_features(), **(wishes | chosen)))


@pytest.mark.parametrize("optimiser", ["lbfgs", "adam"])
@pytest.mark.parametrize("colours", ["style", "matched", "luminance"])
def test_all_losses_fall_from_noise(optimiser, colours):
    records = [record for record, _ in paint(40, optimiser=optimiser, colours=colours)]
    assert [one.step for one in records] == list(range(41))
    for name in ("content", "style", "smooth", "total"):
        assert getattr(records[-1], name) < getattr(records[0], name), name


def test_no_step_of_lbfgs_rises():
    totals = [record.total for record, _ in paint(40)]
    assert all(after <= before for before, after in pairwise(totals))


def test_the_steps_are_dealt_to_the_sizes_coarse_to_fine():
    done = paint(8, sizes=((16, 12), (32, 24), (40, 30)))
    assert [record.step for record, _ in done] == list(range(9))
    sizes = [record.size_hw for record, _ in done]
    assert sizes == [(16, 12)] * 3 + [(32, 24)] * 3 + [(40, 30)] * 3
    assert all(picture.shape == (1, 3, *record.size_hw) for record, picture in done)


def test_the_seed_decides_and_nothing_else():
    first, again, other = paint(3), paint(3), paint(3, seed=1)
    assert torch.equal(first[-1][1], again[-1][1])
    assert not torch.equal(first[-1][1], other[-1][1])


def test_from_the_content_the_content_loss_begins_at_0():
    record, picture = paint(1, start="content", sizes=((40, 30),))[0]
    assert record.content == 0
    torch.testing.assert_close(picture, soft(40, 30, seed=2))


def test_a_loss_that_is_no_number_is_told_with_its_step():
    content = draw(1, 3, 40, 30)
    content[0, 0, 3, 3] = np.nan
    counts = Weights(1, 1, 1)
    going = stylizing(
        content,
        [content],
        tiny_features(),
        weights=counts,
        shares=[1.0],
        steps=1,
        sizes=[(40, 30)],
    )
    with pytest.raises(NotFiniteError, match="step 0 at 40x30: the content loss is nan"):
        list(going)


@pytest.mark.parametrize(
    ("size_hw", "levels", "wanted"),
    [
        ((256, 256), None, [(64, 64), (128, 128), (256, 256)]),
        ((127, 300), None, [(127, 300)]),
        ((128, 301), None, [(64, 150), (128, 301)]),
        ((128, 128), 1, [(128, 128)]),
        ((20, 4), 4, [(2, 1), (5, 1), (10, 2), (20, 4)]),
    ],
)
def test_levels_double(size_hw, levels, wanted):
    assert level_sizes(size_hw, levels) == wanted


# Colours


def statistics(picture):
    pixels = picture.numpy()[0].reshape(3, -1)
    return pixels.mean(1), np.cov(pixels, bias=True)


def test_matched_colours_have_the_contents_mean_and_covariance():
    style, content = draw(1, 3, 9, 11), draw(1, 3, 6, 7, seed=1) * 0.3 + 0.2
    content[:, 1] += 0.5 * content[:, 0]
    for got, wanted in zip(statistics(matched(style, content)), statistics(content), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


def test_colours_that_match_already_stay():
    content = draw(1, 3, 6, 7)
    torch.testing.assert_close(matched(content, content), content)


@pytest.mark.parametrize("flat", [0.0, 0.5, 1.0])
def test_a_flat_style_is_matched_without_a_nan(flat):
    style, content = torch.full((1, 3, 5, 5), flat), draw(1, 3, 6, 7).float()
    assert torch.isfinite(matched(style, content)).all()
    bright = matched_luminance(luminance(style), luminance(content))
    torch.testing.assert_close(bright, torch.full_like(bright, float(luminance(content).mean())))


def test_matched_luminance_has_the_contents_mean_and_deviation():
    style, content = luminance(draw(1, 3, 9, 11)), luminance(draw(1, 3, 6, 7, seed=1)) * 0.3
    found = matched_luminance(style, content).numpy()
    assert found.mean() == pytest.approx(float(content.mean()), rel=1e-12)
    assert found.std() == pytest.approx(content.numpy().std(), rel=1e-12)


def test_luminance_keeps_the_contents_colours():
    content, bright = draw(1, 3, 6, 7), draw(1, 1, 6, 7, seed=1)
    found = coloured(bright, content)
    torch.testing.assert_close(luminance(found), bright)
    # Y - R, Y - B and so on tell the colour: they stay.
    torch.testing.assert_close(
        found - luminance(found), content - luminance(content), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(coloured(luminance(content), content), content)


# Denoising


def objective_of(found, picture, weight):
    away = ((found - picture) ** 2).sum() / 2
    return away + weight * picture_losses.total_variation(found, beta=1.0)


@pytest.mark.parametrize("weight", [0.02, 0.1, 0.5])
def test_denoising_is_at_least_as_near_to_the_least_as_scikit_images(weight):
    picture = draw(1, 2, 12, 15).numpy()
    picture[..., 5:] += 0.7
    found = smoothed(torch.from_numpy(picture), weight=weight, tolerance=1e-6, most_steps=3000)
    peer = denoise_tv_chambolle(
        picture[0], weight=weight, eps=1e-9, max_num_iter=2000, channel_axis=0
    )[None]
    mine, theirs = (objective_of(one, picture, weight) for one in (found.picture.numpy(), peer))
    assert found.value == pytest.approx(mine, rel=1e-12)
    assert mine <= theirs * (1 + 1e-6)
    np.testing.assert_allclose(found.picture.numpy(), peer, atol=1e-2)


def test_the_gap_bounds_how_far_from_the_least_it_is():
    picture = draw(1, 1, 16, 16)
    least = smoothed(picture, weight=0.3, tolerance=1e-7, most_steps=3000).value
    for tolerance in (0.1, 1e-2, 1e-4):
        found = smoothed(picture, weight=0.3, tolerance=tolerance)
        assert found.gap <= tolerance
        assert -1e-6 * least <= found.value - least <= found.gap * found.value


def test_a_step_is_brought_nearer_by_the_weight_over_its_width():
    """In closed form: a plateau of k columns gives way by weight / k."""
    picture = torch.zeros(1, 1, 6, 10, dtype=torch.float64)
    picture[..., 4:] = 1.0
    found = smoothed(picture, weight=0.2, tolerance=1e-8, most_steps=3000).picture
    wanted = torch.full_like(found, 0.2 / 4)
    wanted[..., 4:] = 1 - 0.2 / 6
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)


def test_a_flat_picture_stays_and_a_great_weight_leaves_the_mean():
    flat = torch.full((1, 3, 5, 4), 0.3)
    assert torch.equal(smoothed(flat, weight=0.1).picture, flat)
    assert torch.equal(smoothed(flat[..., :1, :1], weight=0.1).picture, flat[..., :1, :1])
    picture = draw(1, 2, 6, 5)
    found = smoothed(picture, weight=3.0, tolerance=1e-7, most_steps=3000).picture
    torch.testing.assert_close(
        found, picture.mean((2, 3), keepdim=True).expand_as(found), atol=1e-4, rtol=0
    )


def test_gathered_is_the_transpose_of_slopes():
    picture, fields = draw(1, 2, 5, 4), draw(2, 1, 2, 5, 4, seed=1)
    there, back = (slopes(picture) * fields).sum(), (picture * gathered(fields)).sum()
    assert float(there) == pytest.approx(float(back), rel=1e-12)


# Maps


def test_the_maps_are_the_last_of_each_stride():
    found = tiny_features()
    assert (found.strides, found.content_stride, found.layers) == ((2, 4), 4, ("1", "3"))
    style, content = found.maps(draw(1, 3, 32, 24))
    assert [one.shape for one in style] == [(1, 4, 16, 12), (1, 5, 8, 6)]
    assert torch.equal(content, style[1])
    chosen = tiny_features(strides=(4,), content_stride=2)
    style, content = chosen.maps(draw(1, 3, 32, 24))
    assert style[0].shape[1] == 5 and content.shape[1] == 4


def test_a_stride_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="tiny has no map of stride 8; its strides are: 2, 4"):
        tiny_features(strides=(2, 8))
    with pytest.raises(InputError, match="no map of stride 3"):
        tiny_features(content_stride=3)


def test_grey_networks_see_luminance():
    network = nn.Sequential(nn.Conv2d(1, 2, 2, 2), nn.Conv2d(2, 3, 2, 2))
    features = StyleFeatures(network, name="grey", channels=1, mean=(0.0,), std=(1.0,))
    picture = draw(1, 3, 16, 16).float()
    _, content = features.maps(picture)
    torch.testing.assert_close(content, network(luminance(picture)))


def test_the_network_is_left_as_it_was():
    features = tiny_features()
    before = {name: value.clone() for name, value in features.backbone.state_dict().items()}
    features.maps(draw(1, 3, 32, 24).requires_grad_())
    assert all(
        torch.equal(value, before[name]) for name, value in features.backbone.state_dict().items()
    )
    assert not any(parameter.requires_grad for parameter in features.backbone.parameters())


@pytest.mark.parametrize("name", ["mlp", "lenet", "pixels", "hog"])
def test_a_network_without_maps_for_any_size_is_refused(name):
    network = make_backbone(name, channels=3, width=4, size_hw=(32, 32))
    with pytest.raises(InputError, match=f"{name} makes no maps of features for pictures of any"):
        StyleFeatures(network, name=name)


def test_maps_with_their_channels_last_are_refused():
    network = nn.Sequential(nn.Conv2d(3, 4, 2, 2))
    network.body = nn.Identity()
    network.body.output_fmt = "NHWC"
    with pytest.raises(InputError, match="keeps the channels of its maps last; take one"):
        StyleFeatures(network, name="swin")


@pytest.mark.parametrize("size_hw", [(4, 40), (1, 1)])
def test_a_picture_too_small_for_the_coarsest_map_is_refused(size_hw):
    shown = "x".join(map(str, size_hw))
    with pytest.raises(InputError, match=f"{shown} is too small for the map of stride 4 of tiny"):
        tiny_features().maps(draw(1, 3, *size_hw))
