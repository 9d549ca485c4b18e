"""A foreign embedder: vectors against the definition in float64, in every layout and batch."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

from saccade.api.gallery import Gallery
from saccade.cli.app import main
from saccade.data.pictures import resize
from saccade.errors import GalleryError, InputError, SettingError
from saccade.exchange import load_detector, load_embedder, session, trust
from saccade.values import Sample
from tests.graphs import (
    DIMENSION,
    EMBEDDER_CARD,
    SIDE,
    graph_model,
    port,
    weights,
    write_card,
    write_embedder,
)

MEAN, STD = np.array([120.0, 110.0, 100.0]), np.array([60.0, 50.0, 40.0])


def drawn(count, *, shape=(SIDE, SIDE), seed=0):
    draw = np.random.default_rng(seed)
    return list(draw.integers(0, 256, (count, *shape, 3), dtype=np.uint8))


def reference(pictures, *, layout="nchw", colours="rgb"):
    """The vectors in float64, from pictures (SIDE, SIDE, 3) that need no fitting."""
    rows = []
    for picture in pictures:
        seen = picture if colours == "rgb" else picture[:, :, ::-1]
        values = (seen.astype(np.float64) - MEAN) / STD
        rows.append(values.transpose(2, 0, 1).ravel() if layout == "nchw" else values.ravel())
    vectors = np.stack(rows) @ weights().astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colours", ["rgb", "bgr"])
@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_vectors_are_those_of_the_definition(tmp_path, layout, colours, batch):
    file = write_embedder(tmp_path / "e.onnx", layout=layout, batch=batch)
    write_card(file, EMBEDDER_CARD, input={"layout": layout, "colours": colours})
    embedder = load_embedder(file)
    for count in (1, 3, 4, 11, 17):
        pictures = drawn(count, seed=count)
        vectors = embedder(pictures)
        assert vectors.shape == (count, DIMENSION) and vectors.dtype == np.float32
        expected = reference(pictures, layout=layout, colours=colours)
        np.testing.assert_allclose(vectors, expected, atol=2e-6)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert embedder([]).shape == (0, DIMENSION)


def test_half_floats_go_in_and_come_out(tmp_path):
    embedder = load_embedder(write_embedder(tmp_path / "e.onnx", half=True))
    pictures = drawn(3)
    np.testing.assert_allclose(embedder(pictures), reference(pictures), atol=5e-3)


def test_pictures_of_another_shape_are_scaled_as_pillow_does(tmp_path):
    file = write_embedder(tmp_path / "e.onnx")
    picture = drawn(1, shape=(37, 51))[0]
    fitted = resize(picture, (SIDE, SIDE), 3).transpose(1, 2, 0)
    np.testing.assert_allclose(load_embedder(file)([picture]), reference([fitted]), atol=0.02)


def test_answers_do_not_depend_on_who_stands_beside(tmp_path):
    embedder = load_embedder(write_embedder(tmp_path / "e.onnx"))
    pictures = [*drawn(9, shape=(20, 31)), *drawn(9, shape=(9, 8))]
    together = embedder(pictures)
    alone = np.concatenate([embedder([picture]) for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_arrays_that_cannot_be_written_or_run_backwards_are_taken(tmp_path):
    embedder = load_embedder(write_embedder(tmp_path / "e.onnx"))
    picture = drawn(1, shape=(30, 20))[0]
    frozen = picture.copy()
    frozen.flags.writeable = False
    expected = embedder([picture])
    np.testing.assert_array_equal(embedder([frozen]), expected)
    np.testing.assert_array_equal(embedder([picture[:, ::-1].copy()[:, ::-1]]), expected)


def test_the_fingerprint_changes_with_graph_and_card_but_not_with_where_it_comes_from(tmp_path):
    file = write_embedder(tmp_path / "e.onnx")
    first = load_embedder(file).fingerprint
    assert load_embedder(file).fingerprint == first and len(first) == 64
    write_card(file, EMBEDDER_CARD, source="elsewhere", licence="MIT")
    assert load_embedder(file).fingerprint == first
    seen = {first}
    for change in ({"fit": "pad"}, {"mean": [120, 110, 101]}, {"colours": "bgr"}):
        write_card(file, EMBEDDER_CARD, input=change)
        seen.add(load_embedder(file).fingerprint)
    write_embedder(file, matrix=weights(1))
    seen.add(load_embedder(file).fingerprint)
    assert len(seen) == 5


def refused(file, *words):
    """Open and ask; the error is one line with the file and these words."""
    with pytest.raises(InputError) as error:
        load_embedder(file)(drawn(2))
    text = str(error.value)
    assert file.stem in text and "\n" not in text and len(text) < 600
    for word in words:
        assert word in text, text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "is not an ONNX graph"),
        (b"hello, this is text\n" * 9, "is not an ONNX graph"),
        (bytes(64), "is not"),
    ],
)
def test_files_that_are_no_graph(tmp_path, content, words):
    file = tmp_path / "e.onnx"
    file.write_bytes(content)
    refused(file, words)


def test_a_file_cut_anywhere_is_refused_or_refuses(tmp_path):
    whole = write_embedder(tmp_path / "e.onnx").read_bytes()
    for length in [*range(1, 200, 7), *range(200, len(whole), 151), len(whole) - 1]:
        (tmp_path / "e.onnx").write_bytes(whole[:length])
        refused(tmp_path / "e.onnx")


def test_places_that_hold_no_graph(tmp_path):
    refused(tmp_path / "none.onnx", "does not exist")
    (tmp_path / "folder.onnx").mkdir()
    refused(tmp_path / "folder.onnx", "is not a file")
    (tmp_path / "weights.pt").write_bytes(b"x")
    refused(tmp_path / "weights.pt", "must be called .onnx")


def test_a_file_over_the_limit_is_not_read(tmp_path, monkeypatch):
    file = write_embedder(tmp_path / "e.onnx")
    monkeypatch.setattr(trust, "MAX_BYTES", 1000)
    refused(file, "the limit is 1,000")


def changed(file, change):
    """Rewrite a graph by a function of its model."""
    import onnx

    model = onnx.load_model(file, load_external_data=False)
    change(model)
    file.write_bytes(model.SerializeToString())
    return file


def foreign_node(model):
    model.graph.node[1].domain = "com.example"
    model.opset_import.add(domain="com.example", version=1)


def hidden_node(model):
    """The foreign operator stands in a branch of an If."""
    from onnx import TensorProto, helper

    branch = helper.make_graph(
        [helper.make_node("Steal", ["vector"], ["x"], domain="org.pytorch.aten")],
        "branch",
        [],
        [port("x", [])],
    )
    node = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    model.graph.node.append(node)
    model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))


def external_weights(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="../../../etc/passwd")


def external_constant(model):
    """The same in the attribute of a node."""
    from onnx import helper

    tensor = helper.make_tensor("secret", 1, [1], [0.0])
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def own_function(model):
    from onnx import helper

    body = [helper.make_node("Relu", ["a"], ["b"])]
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "f", ["a"], ["b"], body, opset))


def no_such_operator(model):
    model.graph.node[1].op_type = "Matmull"


def loose_end(model):
    model.graph.node[1].input[0] = "nowhere"


def second_input(model):
    model.graph.input.append(port("mask", [1]))


def endless(model):
    """The vector is doubled in a loop, as often as the file says."""
    from onnx import TensorProto, helper, numpy_helper

    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still"]),
            helper.make_node("Add", ["a", "a"], ["twice"]),
        ],
        "body",
        [port("i", [], TensorProto.INT64), port("on", [], TensorProto.BOOL), port("a", ["n", 5])],
        [port("still", [], TensorProto.BOOL), port("twice", ["n", 5])],
    )
    model.graph.node[1].output[0] = "once"
    model.graph.node.append(
        helper.make_node("Loop", ["often", "yes", "once"], ["vector"], body=body)
    )
    for name, value in (("often", np.array(2**62)), ("yes", np.array(True))):
        model.graph.initializer.append(numpy_helper.from_array(value, name))


def immoderate(model):
    """A constant of 100 GB is made on the way, out of a file of a few kilobytes."""
    from onnx import helper, numpy_helper

    model.graph.node[1].output[0] = "bare"
    model.graph.node.extend(
        [
            helper.make_node("ConstantOfShape", ["far"], ["large"]),
            helper.make_node("ReduceMean", ["large"], ["nothing"], keepdims=0),
            helper.make_node("Add", ["bare", "nothing"], ["vector"]),
        ]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([25 * 10**9]), "far"))


def numbers_without_fractions(model):
    from onnx import helper

    model.graph.node.append(helper.make_node("Cast", ["vector"], ["whole"], to=7))
    model.graph.output[0].CopyFrom(port("whole", ["n", DIMENSION], 7))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (foreign_node, "'MatMul' of 'com.example'"),
        (hidden_node, "'Steal' of 'org.pytorch.aten'"),
        (external_weights, "'matrix' lies in another file"),
        (external_constant, "'secret' lies in another file"),
        (own_function, "functions of its own, such as 'f'"),
        (endless, "the operator 'Loop', which may repeat without end"),
        (immoderate, "needs a tensor large 25000000000 for pictures (8, 3, 8, 8)"),
        (no_such_operator, "Matmull"),
        (loose_end, "nowhere"),
        (second_input, "Got 2: pictures, mask"),
    ],
)
def test_graphs_that_may_not_run_are_refused_before_a_session_is_made(
    tmp_path, monkeypatch, change, words
):
    def never(*_, **__):
        raise AssertionError("a session was made")

    monkeypatch.setattr(onnxruntime, "InferenceSession", never)
    refused(changed(write_embedder(tmp_path / "e.onnx"), change), words)


def test_what_another_exporter_only_mentions_does_no_harm(tmp_path):
    def mention(model):
        model.opset_import.add(domain="com.microsoft", version=1)

    file = changed(write_embedder(tmp_path / "e.onnx"), mention)
    assert load_embedder(file)(drawn(1)).shape == (1, DIMENSION)


def test_an_extra_that_is_missing_is_named_with_its_remedy(tmp_path, monkeypatch):
    file = write_embedder(tmp_path / "e.onnx")
    for name in ("onnx", "onnxruntime"):
        with monkeypatch.context() as patch:
            patch.setitem(__import__("sys").modules, name, None)
            with pytest.raises(SettingError, match=rf"needs {name}, .*pip install 'saccade\[onnx"):
                load_embedder(file)


@pytest.mark.parametrize(
    ("told", "card", "words"),
    [
        ((7,), {}, "shape (1, 7), e.toml says embedder.dimension = 5"),
        ((DIMENSION,), {"embedder": {"dimension": 6}}, "embedder.dimension = 6"),
        (("d",), {"embedder": {"dimension": 6}}, "shape (2, 5)"),
        ((DIMENSION,), {"input": {"size": [9, 8]}}, "input.size is [9, 8], the graph takes"),
        ((DIMENSION,), {"input": {"layout": "nhwc"}}, "as nhwc its input pictures nx3x8x8 has 8"),
        ((DIMENSION,), {"outputs": {"vector": None, "vectr": "vector"}}, "did you mean 'vector'"),
    ],
)
def test_a_card_that_does_not_fit_its_graph(tmp_path, told, card, words):
    file = write_embedder(tmp_path / "e.onnx", told=told)
    write_card(file, EMBEDDER_CARD, **card)
    refused(file, words)


def test_answers_that_cannot_be_used(tmp_path):
    bad = weights()
    bad[3, 2] = np.nan
    refused(write_embedder(tmp_path / "e.onnx", matrix=bad), "vector", "NaN", "mean and std")
    refused(write_embedder(tmp_path / "e.onnx", matrix=weights() * 0), "zeros only")
    refused(
        changed(write_embedder(tmp_path / "e.onnx"), numbers_without_fractions), "no output 'vector"
    )


def test_a_batch_that_no_memory_holds_is_refused(tmp_path):
    refused(write_embedder(tmp_path / "e.onnx", batch=10**8), "(100000000, 3, 8, 8)", "4 GiB")


def test_numbers_beyond_float32_are_no_vector(tmp_path):
    from onnx import TensorProto, helper, numpy_helper

    def large(model):
        model.graph.node[1].output[0] = "single"
        model.graph.node.extend(
            [
                helper.make_node("Cast", ["single"], ["double"], to=TensorProto.DOUBLE),
                helper.make_node("Mul", ["double", "huge"], ["vector"]),
            ]
        )
        model.graph.initializer.append(numpy_helper.from_array(np.array(1e200), "huge"))
        model.graph.output[0].CopyFrom(port("vector", ["n", DIMENSION], TensorProto.DOUBLE))

    refused(changed(write_embedder(tmp_path / "e.onnx"), large), "holds NaN or infinity")


def test_large_pictures_are_run_few_at_once_with_the_same_answers(tmp_path, monkeypatch):
    file = write_embedder(tmp_path / "e.onnx")
    expected = load_embedder(file)(drawn(7))
    monkeypatch.setattr(session, "PIECE_BYTES", 3 * 4 * 3 * SIDE * SIDE)
    for threads, wanted in ((1, [3, 3, 1]), (2, [1] * 7), (4, [3, 3, 1])):
        monkeypatch.setattr(session.torch, "get_num_threads", lambda threads=threads: threads)
        few = load_embedder(file)
        assert ran(few, drawn(7), expected, monkeypatch) == wanted


def ran(embedder, pictures, expected, monkeypatch):
    """The sizes of the pieces that are run for the expected vectors."""
    sizes = []
    real = embedder._session.run
    monkeypatch.setattr(
        embedder._session, "run", lambda p, *graph: sizes.append(len(p.batch)) or real(p, *graph)
    )
    np.testing.assert_allclose(embedder(pictures), expected, atol=1e-6)
    return sizes


@pytest.mark.parametrize(
    ("batch", "count", "sizes"),
    [("n", 1, [1]), ("n", 2, [1, 1]), ("n", 11, [3, 4, 4]), (1, 3, [1, 1, 1]), (16, 17, [16, 16])],
)
def test_several_pictures_are_spread_over_threads(tmp_path, monkeypatch, batch, count, sizes):
    monkeypatch.setattr(session.torch, "get_num_threads", lambda: 2)
    opened = []
    real = onnxruntime.InferenceSession

    def kept(content, options, **named):
        opened.append(options.intra_op_num_threads)
        return real(content, options, **named)

    monkeypatch.setattr(onnxruntime, "InferenceSession", kept)
    embedder = load_embedder(write_embedder(tmp_path / "e.onnx", batch=batch))
    pictures = drawn(count)
    for _ in range(2):
        assert sorted(ran(embedder, pictures, reference(pictures), monkeypatch)) == sizes
    # The second graph is opened when it is first needed, and once.
    assert opened == ([2] if count == 1 or batch == 16 else [2, 1])


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_no_place_of_a_batch_is_left_unwritten(tmp_path, monkeypatch, layout):
    file = write_embedder(tmp_path / "e.onnx", layout=layout, batch=4)
    write_card(file, EMBEDDER_CARD, input={"layout": layout, "fit": "pad"})
    embedder = load_embedder(file)
    with monkeypatch.context() as patch:
        made = np.empty
        patch.setattr(
            session.np,
            "empty",
            lambda shape, dtype=float: (
                np.full(shape, np.nan, dtype) if dtype is np.float32 else made(shape, dtype)
            ),
        )
        batch = embedder._session.prepared(drawn(3, shape=(4, SIDE))).batch
    planes = batch if layout == "nchw" else batch.transpose(0, 3, 1, 2)
    assert (planes[3] == 0).all() and (planes[:, :, [0, 1, 6, 7]] == 0).all()
    expected = (np.stack(drawn(3, shape=(4, SIDE))).astype(np.float32) - MEAN) / STD
    np.testing.assert_allclose(planes[:3, :, 2:6], expected.transpose(0, 3, 1, 2), atol=1e-6)


def test_threads_may_share_an_embedder(tmp_path, monkeypatch):
    monkeypatch.setattr(session.torch, "get_num_threads", lambda: 2)
    embedder = load_embedder(write_embedder(tmp_path / "e.onnx"))
    asked = [drawn(9, shape=(20, 31), seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as askers:
        found = list(askers.map(embedder, asked))
    for pictures, vectors in zip(asked, found, strict=True):
        np.testing.assert_allclose(vectors, embedder(pictures), atol=1e-6)


def test_a_picture_that_cannot_be_used_is_refused_from_any_thread(tmp_path, monkeypatch):
    """One row of the batch is zeros: its vector has no direction, whoever runs it."""
    monkeypatch.setattr(session.torch, "get_num_threads", lambda: 2)
    file = write_embedder(tmp_path / "e.onnx", matrix=weights())
    write_card(file, EMBEDDER_CARD, input={"mean": [7, 7, 7]})
    pictures = [*drawn(10), np.full((SIDE, SIDE, 3), 7, np.uint8), *drawn(10)]
    with pytest.raises(InputError, match="zeros only"):
        load_embedder(file)(pictures)


def test_a_graph_that_gives_fewer_rows_than_pictures(tmp_path):
    from onnx import helper, save_model

    nodes = [helper.make_node("ReduceMean", ["pictures"], ["vector"], axes=[0, 2], keepdims=0)]
    file = write_embedder(tmp_path / "e.onnx")
    model = graph_model(
        nodes, [port("pictures", ["n", 3, SIDE, SIDE])], [port("vector", ["k", "d"])]
    )
    save_model(model, file)
    refused(file, "shape (3, 8) for 2 pictures")


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
        "a.png",
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, picture):
    embedder = load_embedder(write_embedder(tmp_path / "e.onnx"))
    with pytest.raises(InputError, match=r"must be \(H, W, 3\) uint8"):
        embedder([*drawn(1), picture])
    with pytest.raises(InputError, match="several pictures"):
        embedder(drawn(1)[0])


@pytest.fixture
def people(tmp_path):
    return [
        Sample(tmp_path / f"{name}{n}.png", name, array=picture)
        for name, seed in (("ann", 1), ("bob", 2))
        for n, picture in enumerate(drawn(3, shape=(12, 10), seed=seed))
    ]


def test_a_gallery_keeps_its_copy_and_answers_without_the_original(tmp_path, people):
    file = write_embedder(tmp_path / "e.onnx")
    expected = load_embedder(file)([sample.array for sample in people])
    with Gallery.create(tmp_path / "g", embedder=file, threshold=0.9) as gallery:
        assert gallery.stats().embedder == "e.onnx"
        assert [done.status for done in gallery.enrol(people)] == ["enrolled"] * 6
    file.unlink()
    file.with_suffix(".toml").unlink()
    with Gallery.open(tmp_path / "g") as gallery:
        for sample, row in zip(people, expected, strict=True):
            best = gallery.find([sample])[0]
            assert best.identity == sample.label
            assert best.hits[0].similarity == pytest.approx(float(row @ row), abs=2e-3)


def test_a_gallery_refuses_another_graph_another_card_and_a_damaged_copy(tmp_path):
    file = write_embedder(tmp_path / "e.onnx")
    Gallery.create(tmp_path / "g", embedder=file).close()
    Gallery.open(tmp_path / "g", embedder=file).close()
    write_card(file, EMBEDDER_CARD, input={"colours": "bgr"})
    with pytest.raises(GalleryError, match="was made by embedder"):
        Gallery.open(tmp_path / "g", embedder=file)
    kept = tmp_path / "g" / "embedder" / "model.onnx"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-40])
    with pytest.raises(GalleryError, match=r"the embedder of gallery .* is damaged"):
        Gallery.open(tmp_path / "g")
    kept.write_bytes(write_embedder(tmp_path / "e.onnx", matrix=weights(1)).read_bytes())
    with pytest.raises(GalleryError, match="was made by embedder"):
        Gallery.open(tmp_path / "g")


def test_a_gallery_for_what_cannot_be_loaded_is_not_made(tmp_path):
    file = write_embedder(tmp_path / "e.onnx")
    write_card(file, EMBEDDER_CARD, input={"mean": "?"})
    with pytest.raises(InputError, match=r'e.toml: input.mean is still "\?"'):
        Gallery.create(tmp_path / "g", embedder=file)
    assert not (tmp_path / "g").exists()


def test_a_card_that_changes_while_it_is_copied_is_noticed(tmp_path):
    file = write_embedder(tmp_path / "e.onnx")
    embedder = load_embedder(file)
    write_card(file, EMBEDDER_CARD, input={"colours": "bgr"})
    with pytest.raises(InputError, match="has changed meanwhile"):
        Gallery.create(tmp_path / "g", embedder=embedder)
    assert not (tmp_path / "g").exists()


def test_the_commands_take_an_onnx_file(tmp_path, class_folders, capsys):
    file = write_embedder(tmp_path / "e.onnx")
    place = str(tmp_path / "g")
    assert main(["create", place, "--embedder", str(file), "--threshold", "0.2"]) == 0
    assert main(["enrol", place, str(class_folders)]) == 0
    picture = str(sorted(class_folders.rglob("*.png"))[0])
    capsys.readouterr()
    assert main(["find", place, picture, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["known"]
    assert main(["verify", place, picture, picture, "--embedder", str(file)]) == 0
    write_card(file, EMBEDDER_CARD, input={"fit": "pad"})
    assert main(["find", place, picture, "--embedder", str(file)]) == 2
    assert main(["create", f"{place}2", "--embedder", str(tmp_path / "none.onnx")]) == 2
    assert "none.onnx does not exist" in capsys.readouterr().err


def test_an_embedder_is_no_detector(tmp_path):
    file = write_embedder(tmp_path / "e.onnx")
    with pytest.raises(InputError, match='kind = "embedder"; "detector" is needed here'):
        load_detector(file)


def test_the_bytes_that_were_checked_are_those_that_run(tmp_path, monkeypatch):
    file = write_embedder(tmp_path / "e.onnx")
    given = []
    real = onnxruntime.InferenceSession

    def kept(content, *rest, **named):
        given.append(content)
        return real(content, *rest, **named)

    monkeypatch.setattr(onnxruntime, "InferenceSession", kept)
    load_embedder(file)
    assert isinstance(given[0], bytes)
    assert hashlib.sha256(given[0]).digest() == hashlib.sha256(file.read_bytes()).digest()
