"""The report on bias and variance: the parts of the error, as a chart and a table."""

from saccade.judge.bias_variance import SQUARED, ZERO_ONE, Decomposition, figure_rows, written
from saccade.judge.report_frame import framed
from saccade.report import Chart, Charts, Section, Table, Text, interval_chart

METHOD = (
    "Every model learned from a bootstrap sample of the same pictures, drawn with replacement, "
    "with a seed of its own, and answered what was held out from all of them. A bootstrap sample "
    "holds about 63 of 100 pictures, so these models are a little worse than one of all. The "
    "intervals, with 95 % confidence, are over what was held out, for these models."
)
OF_LOSS = {
    ZERO_ONE: "0-1 loss is taken apart as Domingos, 2000, does: the main answer is the one given "
    "most often. Error = bias + unbiased − biased; variance is unbiased − biased, so it can be "
    "below 0.",
    SQUARED: "Squared error = squared bias + variance (Geman, Bienenstock, Doursat, 1992), where "
    "the main answer is the mean. Both are freed of chance by as many models as there are.",
}


def bias_variance_report(found: Decomposition, *, data: str) -> str:
    """Return one self-contained HTML page."""
    rows = figure_rows(found)
    svg = interval_chart(
        [(name, one.value, one.low, one.high) for name, one, _ in rows],
        title=f"Parts of the {found.loss}",
        x_label=found.loss,
        description="Dots are means over what was held out, bars their intervals.",
    )
    table = Table(
        ("part", found.loss, "what it is"),
        tuple((name, written(one), text) for name, one, text in rows),
    )
    chart = Chart(f"Parts of the {found.loss}", svg)
    sections = [
        Section("What it shows", (Text(found.sentence),)),
        Section("The parts", (Charts((chart,)), table)),
    ]
    return framed(
        "Bias and variance",
        sections,
        method=(Text(METHOD), Text(OF_LOSS[found.loss])),
        history=None,
        about=None,
        subtitle=f"{found.bags} models of {data}, judged on {found.error.n} {found.units}",
    )
