"""Charts and pages: plain parts in, one self-contained HTML file out."""

from saccade.report.bar_chart import bar_chart
from saccade.report.box_picture import DrawnBox, with_boxes
from saccade.report.charts import (
    Series,
    histogram,
    interval_chart,
    line_chart,
    scatter_chart,
)
from saccade.report.confusion_chart import confusion_chart
from saccade.report.heat import heat, heat_legend
from saccade.report.page import page
from saccade.report.parts import (
    Chart,
    Charts,
    Drawer,
    Drawers,
    Legend,
    Part,
    Picture,
    PictureSheet,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
)
from saccade.report.pictures import data_uri
from saccade.report.trade_chart import TradePoint, trade_chart

__all__ = [
    "Chart",
    "Charts",
    "Drawer",
    "Drawers",
    "DrawnBox",
    "Legend",
    "Part",
    "Picture",
    "PictureSheet",
    "Section",
    "Series",
    "Table",
    "Text",
    "Tile",
    "Tiles",
    "TradePoint",
    "bar_chart",
    "confusion_chart",
    "data_uri",
    "heat",
    "heat_legend",
    "histogram",
    "interval_chart",
    "line_chart",
    "page",
    "scatter_chart",
    "trade_chart",
    "with_boxes",
]
