"""Every kind of page in a browser: cells that open, nothing serious for axe, no request, print."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import saccade
from saccade.api.inside import look_inside
from saccade.api.limits import limits
from saccade.api.mistakes import explain_mistakes
from saccade.api.report import report_index
from saccade.api.robustness import robustness
from saccade.judge.search import judge_kinds
from saccade.judge.search_report import search_report
from saccade.judge.tuning import Tuned
from saccade.judge.tuning_report import tuning_report
from tests.judged_pages import JUDGED_PAGES
from tests.test_hostile_names import HOSTILE, PAGES
from tests.test_judge_tuning import planted
from tests.test_vectors_kinds import unit_rows

pytestmark = pytest.mark.slow

SMALL = {"train.epochs": 3, "model.width": 4, "data.size": "16x16", "train.threads": 1}
RIDGE = {"model.name": "ridge", "data.size": "16x16"}
DIGITS = ("balanced", "unbalanced", "mislabelled")
JUDGED = ("inspect", "robustness", "limits", "explain", "mistakes", "inside", "curve", "bags")
FOREIGN = ("boxes", "masks")
SECTIONS = {"explain": 2, "mistakes": 2, "inside": 1}  # the others have three or more
KINDS = (*DIGITS, "regression", "embedding", "tuning", "search", "index", *JUDGED, *FOREIGN)
SHOWN = "[...document.querySelectorAll('.drawer')].filter(d => d.offsetHeight).map(d => d.id)"


def write_digits(root, name):
    """Digits as class folders below train and val: all, 99 : 1 of two, or a quarter mislabelled."""
    digits, draw = load_digits(), np.random.default_rng(0)
    threes = 0
    for number, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        label = f"digit {digit}"
        if name == "unbalanced":
            threes += digit == 3
            if digit == 3 and threes > 16:
                continue
            label = "three" if digit == 3 else "other"
        elif name == "mislabelled" and draw.random() < 0.25:
            label = f"digit {draw.integers(10)}"
        if name != "unbalanced" and number >= 900:
            break
        folder = root / name / ("train" if number % 2 else "val") / label
        folder.mkdir(parents=True, exist_ok=True)
        pixels = Image.fromarray((image * 15.9).astype(np.uint8))
        pixels.resize((16, 16)).save(folder / f"{number:04}.png")


@pytest.fixture(scope="module")
def world(number_table, class_folders, tmp_path_factory):
    """Real runs with their pages, and a page of every other kind."""
    root = tmp_path_factory.mktemp("pages")
    for name in DIGITS:
        write_digits(root, name)
        run, data = root / "runs" / name, root / name
        chosen = SMALL if name == "unbalanced" else RIDGE
        saccade.train(data, task="classify", out=run, settings=chosen)
        saccade.evaluate(run, data, report=root / f"{name}.html")
    run = root / "runs" / "regress"
    settings = SMALL | {"data.target": "hue,corners"}
    saccade.train(number_table, task="regress", out=run, settings=settings)
    saccade.evaluate(run, number_table, report=root / "regression.html")
    run = root / "runs" / "embed"
    saccade.train(class_folders, out=run, settings=SMALL | {"train.classes_per_batch": 2})
    saccade.evaluate(run, class_folders, report=root / "embedding.html")
    tuned = Tuned(root, "accuracy", ("optim.lr", "model.activation"), 5, planted()[1])
    (root / "tuning.html").write_text(tuning_report(tuned, data="digits"))
    scores = judge_kinds(unit_rows(np.random.default_rng(0), 60, 8), ["exact", "lsh"], queries=20)
    (root / "search.html").write_text(search_report(scores, gallery="g"))
    report_index(root / "runs", out=root / "index.html")
    write_judged(root)
    write_foreign(root)
    return root


def write_judged(root):
    """A page of every command that looks at data or into a run; one small network serves all."""
    run, data = root / "runs" / "unbalanced", root / "unbalanced"
    saccade.inspect(data, report=root / "inspect.html")
    robustness(run, data, only=["shift", "noise"], report=root / "robustness.html")
    masks = root / "digit-masks"
    for sample in saccade.read_data(data / "val"):
        (masks / sample.label).mkdir(parents=True, exist_ok=True)
        marked = np.asarray(Image.open(sample.path)) > 60
        Image.fromarray(marked.astype(np.uint8)).save(masks / sample.label / sample.path.name)
    limits(run, data, second=data / "train", masks=masks, report=root / "limits.html")
    pictures = sorted((data / "val" / "three").iterdir())[:2]
    saccade.explain(run, pictures, out=root / "explain.html")
    explain_mistakes(run, data, count=3, out=root / "mistakes.html")
    look_inside(run, out=root / "inside.html")
    data, told = root / "balanced", {"task": "classify", "settings": RIDGE}
    saccade.learning_curve(data, sizes=(0.2, 0.5, 1), repeats=2, out=root / "curve", **told)
    saccade.bias_variance(data, bags=3, out=root / "bags", **told)
    for name in ("curve", "bags"):
        (root / name / "report.html").rename(root / f"{name}.html")


def write_foreign(root):
    """Pages of boxes and of masks that another program found."""
    for name, kind in (("boxes", "detection"), ("masks", "segmentation")):
        (root / f"{name}.html").write_text(JUDGED_PAGES[kind](tuple("abcdefghijk")))


@pytest.fixture
def open_page(browser):
    """Open a file and return its tab; requests and messages are kept in lists of it."""
    contexts = []

    def opened(file, *, width=1280, scheme="light", **settings):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **settings
        )
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(20_000)
        tab.asked, tab.told = [], []

        def route(one):
            tab.asked.append(one.request.url)
            one.continue_() if one.request.url.startswith("file:") else one.abort()

        tab.route("**/*", route)
        tab.on("console", lambda message: tab.told.append(message.text))
        tab.on("pageerror", lambda error: tab.told.append(str(error)))
        tab.on("dialog", lambda dialog: (tab.told.append("dialog"), dialog.dismiss()))
        tab.goto(file.as_uri())
        return tab

    yield opened
    for context in contexts:
        context.close()


def cells_of(run, data):
    """The files of each cell (truth, answer), surest first, from predictions of every picture."""
    model = saccade.load(run)
    samples = saccade.read_data(data / "val")
    answers = saccade.predict(run, [one.path for one in samples])
    cells = {}
    for one, answer in zip(samples, answers, strict=True):
        key = model.classes.index(one.label), model.classes.index(answer.label)
        cells.setdefault(key, []).append((answer.probability, one.path.name))
    return {key: [name for _, name in sorted(found, reverse=True)] for key, found in cells.items()}


def shown_files(tab):
    """The file names in the one drawer that is open."""
    (drawer,) = tab.evaluate(SHOWN)
    assert tab.locator(f"#{drawer} img").count() == tab.locator(f"#{drawer} .detail").count()
    return drawer, tab.locator(f"#{drawer} .detail").all_inner_texts()


def test_a_cell_opens_exactly_its_pictures(world, open_page):
    tab = open_page(world / "mislabelled.html")
    cells = cells_of(world / "runs" / "mislabelled", world / "mislabelled")
    assert tab.evaluate(SHOWN) == [] and len(cells) > 20
    largest = sorted(cells, key=lambda key: (key[0] == key[1], -len(cells[key])))
    for truth, answer in [*largest[:3], *largest[-2:]]:
        tab.locator(f'svg a[href="#cell-{truth}-{answer}"]').click()
        drawer, files = shown_files(tab)
        assert drawer == f"cell-{truth}-{answer}"
        assert sorted(files) == sorted(cells[truth, answer][:6])
        title = tab.locator(f"#{drawer} h3").inner_text()
        assert f": {len(cells[truth, answer])} pictures" in title


def test_a_cell_opens_by_keyboard(world, open_page):
    tab = open_page(world / "balanced.html")
    cells = cells_of(world / "runs" / "balanced", world / "balanced")
    focused = "document.activeElement.getAttribute('href') ?? ''"
    for _ in range(60):
        tab.keyboard.press("Tab")
        if tab.evaluate(focused) == "#cell-4-4":
            break
    label = tab.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label == "digit 4, answered digit 4: show pictures"
    tab.keyboard.press("Enter")
    tab.wait_for_function(f"{SHOWN}.length")
    assert shown_files(tab) == ("cell-4-4", cells[4, 4][:6])


def test_the_table_of_mistakes_opens_the_cells(world, open_page):
    tab = open_page(world / "mislabelled.html")
    cells = cells_of(world / "runs" / "mislabelled", world / "mislabelled")
    classes = saccade.load(world / "runs" / "mislabelled").classes
    rows = tab.locator("table:has(caption:text('commonest mistakes')) tbody tr")
    assert rows.count() == 15
    for place in (0, 14):
        truth, answer, count, _ = (
            text.split(": ")[-1] for text in rows.nth(place).locator("th, td").all_inner_texts()
        )
        rows.nth(place).locator("a").click()
        key = classes.index(truth), classes.index(answer)
        drawer, files = shown_files(tab)
        assert drawer == f"cell-{key[0]}-{key[1]}" and len(cells[key]) == int(count)
        assert sorted(files) == sorted(cells[key][:6])


@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing_serious_nothing_overflows_and_no_request_leaves(kind, world, open_page):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is missing"
    ).Axe()
    for scheme in ("light", "dark"):
        for width in (390, 1280):
            tab = open_page(world / f"{kind}.html", width=width, scheme=scheme, bypass_csp=True)
            if kind in DIGITS:
                tab.locator("svg a[href^='#cell']").first.click()  # An open drawer is judged too.
            wide = tab.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert wide[0] <= wide[1] == width
            found = axe.run(tab).response
            assert len(found["passes"]) > 15
            bad = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
            assert bad == [], [(one["id"], one["nodes"][0]["html"][:200]) for one in bad]
            assert all(url.startswith(("file:", "data:")) for url in tab.asked)
            assert tab.told == []


@pytest.mark.parametrize("kind", KINDS)
def test_it_prints_with_all_its_sections(kind, world, open_page):
    tab = open_page(world / f"{kind}.html")
    headings = tab.locator("h2").all_inner_texts()
    printed = tab.pdf(outline=True, tagged=True)
    assert printed.startswith(b"%PDF") and len(headings) >= SECTIONS.get(kind, 3)
    for heading in headings:
        assert f"/Title ({heading})".encode() in printed
    tab.emulate_media(media="print")
    assert all(tab.locator("h2").nth(n).is_visible() for n in range(len(headings)))


def test_the_index_is_sorted_by_a_click_and_by_keyboard(world, open_page):
    tab = open_page(world / "index.html")
    names, heads = tab.locator("tbody th a").all_inner_texts, tab.locator("thead th")
    assert sorted(names()) == sorted(["balanced", "embed", "mislabelled", "regress", "unbalanced"])
    button = tab.get_by_role("button", name="Run")
    button.click()
    assert names() == sorted(names()) and heads.nth(0).get_attribute("aria-sort") == "ascending"
    button.focus()
    tab.keyboard.press("Enter")
    assert names() == sorted(names(), reverse=True)
    assert heads.nth(0).get_attribute("aria-sort") == "descending"
    tab.get_by_role("button", name="Score").press("Space")
    found = report_index(world / "runs", out=world / "again.html")
    ranks = {run.name: run.rank for run in found.runs}
    assert names() == sorted(ranks, key=ranks.get, reverse=True)
    assert [heads.nth(n).get_attribute("aria-sort") for n in (0, 1)] == [None, "descending"]
    tab.get_by_role("link", name="regress").click()
    assert tab.locator("h1").inner_text() == "How near this regressor's numbers are"
    assert tab.told == []


def test_the_index_needs_no_script(world, open_page):
    tab = open_page(world / "index.html", java_script_enabled=False)
    first = tab.locator("table").first
    assert first.locator("tbody tr").count() == 5 and first.locator("button").count() == 0
    classified = [text for text in first.locator("tbody th").all_inner_texts() if text in DIGITS]
    ranks = {run.name: run.rank for run in report_index(world / "runs", out=world / "x.html").runs}
    assert classified == sorted(DIGITS, key=ranks.get, reverse=True)


def test_another_script_does_not_run_on_the_index(world, open_page, tmp_path):
    html = (world / "index.html").read_text()
    tab_file = tmp_path / "planted.html"
    tab_file.write_text(html.replace("</main>", "<script>document.title = 'x'</script></main>"))
    tab = open_page(tab_file)
    assert tab.title() == "Runs side by side" and "Content Security Policy" in tab.told[0]


@pytest.mark.parametrize("kind", PAGES)
def test_pages_of_hostile_names_stay_usable(kind, open_page, tmp_path):
    file = tmp_path / "hostile.html"
    file.write_text(PAGES[kind](HOSTILE), encoding="utf-8")
    for width in (390, 1280):
        tab = open_page(file, width=width)
        assert tab.told == [] and Counter(url.split(":")[0] for url in tab.asked) == {"file": 1}
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("document.documentElement.scrollHeight") < 80_000
        ids = tab.evaluate("[...document.querySelectorAll('iframe, script, object')].length")
        assert ids == (kind == "index")
