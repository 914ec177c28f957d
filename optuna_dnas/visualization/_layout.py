"""What all figures look like."""

from typing import Any

from optuna_dnas.visualization._plotly import Figure


TITLE_HEIGHT = 80
_AXIS = {"showline": False, "zeroline": False, "gridcolor": "#E5E7EB"}


def finish(figure: Figure, title: str, subtitle: str, **layout: Any) -> Figure:
    """A title that says what is to be seen, and what it is of in smaller letters."""
    figure.update_layout(
        template="plotly_white",
        title={
            "text": f"{title}<br><span style='font-size:13px;color:#6B7280'>{subtitle}</span>",
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
    return figure.update_layout(margin=margin, **layout)
