"""Videos: every n-th frame, its boxes and names as a line of JSON, the painted file."""

import json
import shutil
import sys

import numpy as np
import pytest

from saccade.api import gallery as api_gallery
from saccade.api import pictures as api
from saccade.cli.app import main
from saccade.data import pictures as data_pictures
from saccade.errors import InputError
from saccade.pictures import video
from saccade.pictures.video import PaintedVideo, frames_of, frames_of_camera, is_video
from saccade.values import UNKNOWN
from tests.squares import SquareDetector, photo
from tests.test_pictures import EMBEDDER, new_gallery

av = pytest.importorskip("av")
RATE = 10
PLACES = [[(1, 10 + 4 * n, 20, 70), (9, 200, 60, 80)] for n in range(6)]


class CoarseDetector(SquareDetector):
    """Finds squares although a video's pixels are near their true colours only."""

    def __call__(self, pictures):
        flat = []
        for picture in pictures:
            near = (np.abs(picture.astype(int) - 128) < 14).all(axis=2)
            flat.append(np.where(near[..., None], 128, picture).astype(np.uint8))
        return [self._look(picture) for picture in flat]

    def _look(self, picture):
        found = super()._look(picture)
        large = found.xywh[:, 2] > 40
        return type(found)(found.xywh[large], found.scores[large])


def write_video(path, places=PLACES):
    """Write one frame for each list of placed squares, nearly without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 320, 200, "yuv444p"
        for placed in places:
            frame = av.VideoFrame.from_ndarray(photo(*placed), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "film.mp4")


@pytest.mark.parametrize("every", [1, 2, 4, 100])
def test_every_nth_frame_comes_with_its_number_time_and_pixels(film, every):
    found = list(frames_of(film, every=every))
    assert [frame.number for frame in found] == list(range(0, len(PLACES), every))
    assert [frame.time_s for frame in found] == pytest.approx(
        [n / RATE for n in range(0, len(PLACES), every)]
    )
    for frame in found:
        true = photo(*PLACES[frame.number]).astype(int)
        assert frame.picture.shape == true.shape and frame.picture.dtype == np.uint8
        assert np.abs(frame.picture - true).mean() < 4


def test_a_film_that_was_taken_sideways_is_turned_upright():
    class Sideways:
        rotation = -90

        def to_ndarray(self, format):
            return np.rot90(photo(*PLACES[0]))

    np.testing.assert_array_equal(video._upright(Sideways()), photo(*PLACES[0]))


def test_painted_frames_keep_their_times_and_their_pixels(tmp_path):
    target = tmp_path / "out.mp4"
    times = [0.0, 0.4, 0.8, 1.7]
    with PaintedVideo(target) as writer:
        for placed, time_s in zip(PLACES, times, strict=False):
            writer.add(photo(*placed)[:199, :319], time_s)
    found = list(frames_of(target))
    assert [frame.time_s for frame in found] == pytest.approx(times, abs=0.002)
    for frame, placed in zip(found, PLACES, strict=False):
        assert frame.picture.shape == (198, 318, 3)
        assert np.abs(frame.picture - photo(*placed)[:198, :318].astype(int)).mean() < 12


def test_times_that_stand_still_are_moved_on(tmp_path):
    with PaintedVideo(tmp_path / "out.mp4") as writer:
        for _ in range(3):
            writer.add(photo(), 0.5)
    assert len(list(frames_of(tmp_path / "out.mp4"))) == 3


def test_a_painted_video_without_a_frame_leaves_no_file(tmp_path):
    with PaintedVideo(tmp_path / "out.mp4"):
        pass
    assert not (tmp_path / "out.mp4").exists()


def test_an_interrupted_painting_keeps_what_came(tmp_path):
    with pytest.raises(KeyboardInterrupt), PaintedVideo(tmp_path / "out.mp4") as writer:
        for n in range(5):
            writer.add(photo(), n / 10)
        raise KeyboardInterrupt
    assert len(list(frames_of(tmp_path / "out.mp4"))) == 5


def of_bytes(change):
    def make(film, path):
        path.write_bytes(change(film.read_bytes()))

    return make


def sound(film, path):
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


BROKEN = {
    "empty": (of_bytes(lambda data: b""), "cannot be read as a video"),
    "noise": (of_bytes(lambda data: np.random.default_rng(0).bytes(5000)), "cannot be read as"),
    "a text": (of_bytes(lambda data: b"hello\n"), "cannot be read as a video"),
    "cut at its head": (of_bytes(lambda data: data[:200]), "cannot be read as a video"),
    "a playlist": (
        of_bytes(lambda data: b"#EXTM3U\n#EXTINF:10,\nhttp://localhost/a.ts\n#EXT-X-ENDLIST\n"),
        "cannot be read as a video",
    ),
    "sound": (sound, "no moving picture"),
}


@pytest.mark.parametrize(("make", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_video_is_one_line(film, tmp_path, make, said):
    path = tmp_path / "bad.mp4"
    make(film, path)
    with pytest.raises(InputError) as caught:
        list(frames_of(path))
    assert said in str(caught.value) and "bad.mp4" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_video_and_a_folder_are_one_line(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        list(frames_of(tmp_path / "none.mp4"))
    with pytest.raises(InputError, match="Is a directory"):
        list(frames_of(tmp_path))


def test_a_video_that_breaks_off_gives_what_came_and_one_line(tmp_path):
    whole = write_video(tmp_path / "film.ts", PLACES * 8)
    data = bytearray(whole.read_bytes())
    data[len(data) // 2 :] = np.random.default_rng(0).bytes(len(data) - len(data) // 2)
    whole.write_bytes(data)
    came = []
    try:
        for frame in frames_of(whole):
            came.append(frame.number)
    except InputError as error:
        assert "breaks off after frame" in str(error)
    assert 0 < len(came) < 48


def test_frames_over_the_limit_of_pixels_are_refused(film, monkeypatch):
    monkeypatch.setattr(video, "MAX_PIXELS", 1000)
    with pytest.raises(InputError, match="over 1,000 pixels"):
        list(frames_of(film))
    assert data_pictures.MAX_PIXELS > 1000


def test_a_camera_that_is_not_there_is_one_line():
    with pytest.raises(InputError) as caught:
        next(frames_of_camera("63"))
    assert "camera 63" in str(caught.value) and "\n" not in str(caught.value)


def test_a_camera_of_a_test_pattern_gives_its_frames(monkeypatch):
    """The same way through av, with a device that needs no hardware."""
    pattern = ("lavfi", "color=c=0x{}00:size=64x48:rate=5:duration=1")
    monkeypatch.setattr(video, "CAMERAS", {"linux": pattern, sys.platform: pattern})
    found = list(frames_of_camera("c800", every=2))
    assert [(frame.number, frame.time_s) for frame in found] == [(0, 0.0), (2, 0.4), (4, 0.8)]
    assert found[0].picture.shape == (48, 64, 3)
    assert np.abs(found[0].picture.astype(int) - (0xC8, 0, 0)).max() < 6


def test_a_camera_that_may_not_be_used_or_is_pulled_out_says_what_to_do(monkeypatch):
    with monkeypatch.context() as patch:

        def forbidden(*_, **__):
            raise av.error.PermissionError(13, "Permission denied", "/dev/video0")

        patch.setattr(av, "open", forbidden)
        with pytest.raises(InputError, match=r"Permission denied; plug it in, give yourself"):
            next(frames_of_camera("0"))

    class Pulled:
        def __init__(self, container):
            self.container = container

        def __getattr__(self, name):
            return getattr(self.container, name)

        def decode(self, stream):
            yield next(self.container.decode(stream))
            raise av.error.OSError(19, "No such device")

    pattern = ("lavfi", "testsrc=size=64x48:rate=5")
    monkeypatch.setattr(video, "CAMERAS", {"linux": pattern, sys.platform: pattern})
    opened = av.open
    monkeypatch.setattr(av, "open", lambda *given, **named: Pulled(opened(*given, **named)))
    frames = frames_of_camera("0")
    assert next(frames).number == 0
    with pytest.raises(InputError, match="camera 0 breaks off after frame 0; plug it in"):
        next(frames)


def test_frames_that_grow_are_measured_and_painted_at_the_first_size(tmp_path, monkeypatch):
    parts = [write_part(tmp_path / f"{side}.ts", side) for side in (64, 96)]
    film = tmp_path / "both.ts"
    film.write_bytes(b"".join(part.read_bytes() for part in parts))
    shapes = [frame.picture.shape for frame in frames_of(film)]
    assert shapes == [(64, 64, 3)] * 3 + [(96, 96, 3)] * 3
    with PaintedVideo(tmp_path / "out.mp4") as writer:
        for frame in frames_of(film):
            writer.add(frame.picture, frame.time_s)
    assert [one.picture.shape for one in frames_of(tmp_path / "out.mp4")] == [(64, 64, 3)] * 6
    monkeypatch.setattr(video, "MAX_PIXELS", 70 * 70)
    with pytest.raises(InputError, match="frames over 4,900 pixels"):
        list(frames_of(film))


def write_part(path, side):
    """Write three grey frames of another size, that can stand behind others."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        grey = np.full((side, side, 3), side, np.uint8)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("system", [*video.CAMERAS, "unknown"])
def test_a_camera_is_opened_as_its_system_calls_it(monkeypatch, system):
    given = []

    class Recorder:
        class FFmpegError(OSError):
            pass

        @staticmethod
        def open(place, **options):
            given.append((place, options["format"]))
            raise FileNotFoundError(2, "No such device")

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(video, "_av", lambda: Recorder)
    with pytest.raises(InputError, match="camera 2 cannot be read as a video: No such device"):
        next(frames_of_camera("2"))
    wanted = {
        "darwin": ("2", "avfoundation"),
        "win32": ("video=2", "dshow"),
    }.get(system, ("/dev/video2", "v4l2"))
    assert given == [wanted]


def test_without_the_library_one_line_says_what_to_install(monkeypatch, film):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'saccade\[video\]'"):
        list(frames_of(film))


def test_videos_are_known_by_their_names(film):
    assert is_video(film) and is_video(film.with_suffix(".MOV"))
    assert not is_video(film.with_suffix(".png"))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    root = tmp_path_factory.mktemp("people")
    new_gallery(root, CoarseDetector()).close()
    return root


@pytest.fixture
def command(people, tmp_path, monkeypatch):
    shutil.copytree(people, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(api_gallery, "_kept", lambda root: EMBEDDER)
    monkeypatch.setattr(api, "open_detector", lambda given: CoarseDetector())
    monkeypatch.chdir(tmp_path)
    return ["find", "gallery", "--detector", "d.onnx"]


def test_find_names_the_frames_of_a_video(command, film, tmp_path, capsys):
    words = [*command, str(film), "--every", "2", "--painted", "out.mp4"]
    assert main(words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["frame"] for line in lines] == [0, 2, 4]
    assert [line["time"] for line in lines] == [0.0, 0.2, 0.4]
    for line in lines:
        ada = line["names"].index("Ada")
        assert sorted(line["names"]) == ["Ada", UNKNOWN]
        np.testing.assert_allclose(line["boxes"][ada], [10 + 4 * line["frame"], 20, 70, 70], atol=4)
        assert line["similarities"][ada] > 0.9
    assert len(list(frames_of(tmp_path / "out.mp4"))) == 3


def test_a_video_of_nobody_known_is_exit_code_1(command, tmp_path, capsys):
    write_video(tmp_path / "empty.mp4", [[]] * 3)
    assert main([*command, "empty.mp4"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["boxes"] for line in lines] == [[], [], []]


WRONG = {
    "two videos": (["a.mp4", "b.mp4"], "one video at a time"),
    "a video and a photo": (["a.mp4", "Ada.png"], "one video at a time"),
    "every 0": (["film.mp4", "--every", "0"], "n must be at least 1"),
    "painted into a folder": (["film.mp4", "--painted", "out"], "must end in .mp4"),
    "painted over": (["film.mp4", "--painted", "film.mp4"], "film.mp4 exists already"),
    "painted nowhere": (["film.mp4", "--painted", "no/out.mp4"], "no does not exist"),
    "missing": (["none.mp4"], "none.mp4 cannot be read: No such file"),
    "no camera": (["--webcam", "63"], "camera 63"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line(command, film, tmp_path, capsys, words, said):
    (tmp_path / "film.mp4").write_bytes(film.read_bytes())
    assert main([*command, *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
