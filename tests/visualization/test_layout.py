"""What all figures look like."""

import re

import plotly.graph_objects as go

from optuna_dnas.visualization._layout import finish


def test_a_long_subtitle_has_lines_that_fit_half_a_page_and_room_for_them() -> None:
    words = " ".join(f"word{k}" for k in range(40))
    long, short = finish(go.Figure(), "Title", words), finish(go.Figure(), "Title", "one line")
    title, *lines = long.layout.title.text.split("<br>")
    texts = [re.sub("<[^>]*>", "", line) for line in lines]
    assert title == "Title"
    assert " ".join(texts) == words
    assert len(texts) > 1
    assert max(map(len, texts)) <= 76
    assert long.layout.margin.t - short.layout.margin.t >= 15 * (len(texts) - 1)
