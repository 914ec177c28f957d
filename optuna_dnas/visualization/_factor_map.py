"""The figure of latents and concepts. D: latent dimensions, F: factors, N: architectures."""

from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.study import Study

from optuna_dnas._typing import FloatArray
from optuna_dnas.interpret import Decoding
from optuna_dnas.interpret import evaluated
from optuna_dnas.interpret import information
from optuna_dnas.interpret import latent_controls
from optuna_dnas.interpret import LatentControl
from optuna_dnas.interpret import LatentWithProbabilities
from optuna_dnas.interpret import ValidDecoding
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.visualization._layout import finish
from optuna_dnas.visualization._plotly import Figure
from optuna_dnas.visualization._plotly import graph_objects


# From white to Okabe & Ito's blue: more is darker, for every kind of eye.
_SCALE = ((0.0, "#F7F9FB"), (0.5, "#7FB8D8"), (1.0, "#0072B2"))
_ROW_HEIGHT = 26
_N_ARCHITECTURES = 500  # Random ones: control is a share of some thousand steps.


class FactorMap(NamedTuple):
    controls: tuple[LatentControl, ...]  # D, the one that knows most first
    factors: tuple[str, ...]  # F
    knowledge: FloatArray  # (D, F) shares of the factors' entropies


def plot_factor_map(
    study: Study, *, space: SearchSpace[Any] | None = None, seed: int = 0
) -> Figure:
    """Which concepts each latent knows, and which it controls.

    Colour says how much of a factor a latent knows (mutual information, as a share of the
    factor's entropy). A word says what a traversal does: "controls" where most of its steps
    change this factor and no other; "reads" where a latent knows a factor, but does not control
    it. It is measured on random architectures of the space.

    Args:
        study: Of a declared space.
        space: The architecture space; by default it is recognised.
        seed: Of the random architectures.

    Raises:
        ImportError: plotly is not installed.
        ValueError: No trial is completed, or the space has no decoder.
    """
    data = evaluated(study, space).of_architectures()
    return factor_map_figure(factor_map(data.explanatory_latent(), data.space, seed=seed))


def factor_map(
    latent: LatentWithProbabilities, space: SearchSpace[Any], *, seed: int = 0
) -> FactorMap:
    """What each latent knows and controls, measured on random architectures."""
    tokens = space.sample_tokens(_N_ARCHITECTURES, np.random.default_rng(seed))
    return _get_factor_map_info(latent, space, ValidDecoding(latent, space), tokens)


def _get_factor_map_info(
    latent: LatentWithProbabilities,
    space: SearchSpace[Any],
    decoding: Decoding,
    tokens: np.ndarray,  # (N, T)
) -> FactorMap:
    model = space.factor_model
    codes, factors = latent.encode(tokens), model.measure(tokens)
    controls = latent_controls(decoding, model, codes, factors)
    shares = information(codes, factors).normalised[:, model.basic]
    return FactorMap(
        controls=tuple(controls),
        factors=tuple(model.factors[f].name for f in model.basic),
        knowledge=shares[[control.latent for control in controls]],
    )


def factor_map_figure(info: FactorMap) -> Figure:
    """The figure of it."""
    go = graph_objects()
    rows = [f"latent {control.latent}" for control in info.controls]
    heat_map = go.Heatmap(
        z=info.knowledge,
        x=info.factors,
        y=rows,
        text=[[_word(c, f) for f in info.factors] for c in info.controls],
        texttemplate="%{text}",
        customdata=[[_describe(c)] * len(info.factors) for c in info.controls],
        hovertemplate="%{y} knows %{z:.0%} of<br>%{x}<br>%{customdata}<extra></extra>",
        colorscale=_SCALE,
        zmin=0.0,
        zmax=1.0,
        xgap=2,
        ygap=2,
        colorbar={"title": "knows", "tickformat": ".0%"},
    )
    n_controlled = len({c.controls.name for c in info.controls if c.controls is not None})
    figure = finish(
        go.Figure(heat_map),
        f"{n_controlled} of {len(info.factors)} concepts have a latent that controls them",
        "what each latent knows (colour) and what its traversal changes alone (word)",
        height=170 + _ROW_HEIGHT * len(rows),
        margin={"l": 80, "b": 110},
    )
    return figure.update_yaxes(autorange="reversed")


def _word(control: LatentControl, factor: str) -> str:
    if control.controls is not None and control.controls.name == factor:
        return "controls"
    return "reads" if control.is_read_out and control.knows.name == factor else ""


def _describe(control: LatentControl) -> str:
    if control.moves is None:
        return "its traversal changes no factor alone"
    return (
        f"{control.control:.0%} of its steps change only: {control.moves.name}"
        f"<br>in {control.reach:.0%} of the architectures"
    )
