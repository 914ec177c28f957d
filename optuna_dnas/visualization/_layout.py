"""What all figures look like."""

import textwrap
from typing import Any

from optuna_dnas.visualization._plotly import Figure


TITLE_HEIGHT = 80
_LINE_LENGTH = 76  # Characters of a subtitle that half of a page is wide enough for.
_LINE_HEIGHT = 17
_SUBTITLE = "font-size:13px;color:#6B7280"
_AXIS = {"showline": False, "zeroline": False, "gridcolor": "#E5E7EB"}


def finish(figure: Figure, title: str, subtitle: str, **layout: Any) -> Figure:
    """A title that says what is to be seen, and what it is of in smaller letters."""
    lines = textwrap.wrap(subtitle, _LINE_LENGTH)
    small = "<br>".join(f"<span style='{_SUBTITLE}'>{line}</span>" for line in lines)
    figure.update_layout(
        template="plotly_white",
        title={
            "text": f"{title}<br>{small}",
            "x": 0.0,
            "xref": "paper",
            "xanchor": "left",
            "y": 1.0,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 26},
        },
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(**_AXIS)
    figure.update_yaxes(**_AXIS)
    margin = {"l": 64, "r": 24, "t": TITLE_HEIGHT, "b": 56} | layout.pop("margin", {})
    margin["t"] += _LINE_HEIGHT * max(0, len(lines) - 1)
    return figure.update_layout(margin=margin, **layout)
