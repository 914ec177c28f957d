"""An explanation as one HTML file that needs nothing else, not even a network."""

from collections.abc import Iterable
from collections.abc import Sequence
from html import escape

from optuna_dnas.explanation import _words as words
from optuna_dnas.explanation._explain import Chosen
from optuna_dnas.explanation._explain import Explanation
from optuna_dnas.explanation._explain import Provenance
from optuna_dnas.explanation._factors import FactorFinding
from optuna_dnas.explanation._figures import ReportFigure
from optuna_dnas.explanation._figures import SOURCES_KEY
from optuna_dnas.explanation._style import DRAW
from optuna_dnas.explanation._style import STYLE
from optuna_dnas.visualization import graph_objects
from optuna_dnas.visualization import to_svg


def to_html(explanation: Explanation) -> str:
    """The report.

    Raises:
        ImportError: plotly is not installed.
    """
    of = explanation
    title = escape(f"Why this architecture? {of.study_name}")
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>",
            _summary(of),
            _best(of),
            _factors(of),
            _course(of),
            *_figures(of.figures),
            _provenance(of.study_name, of.provenance),
            f"<script>{_plotly()}</script>\n<script>{DRAW}</script>",
            "</body>\n</html>\n",
        ]
    )


def _plotly() -> str:
    graph_objects()  # Tells what to install, if there is none.
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    return str(get_plotlyjs())


def _summary(of: Explanation) -> str:
    paragraphs = "".join(f"<p>{escape(sentence)}</p>" for sentence in words.summary(of))
    return f'<section class="summary">{paragraphs}</section>'


def _best(of: Explanation) -> str:
    several = " several" if len(of.chosen) > 1 else ""
    drawings = "\n".join(_drawing(of, chosen) for chosen in of.chosen)
    title = (
        "The best architectures, from cheapest to most expensive"
        if several
        else "The best architecture"
    )
    return f'<h2>{title}</h2>\n<div class="gallery{several}">{drawings}</div>'


def _drawing(of: Explanation, chosen: Chosen) -> str:
    lines = [f"<b>trial {chosen.number}</b>, proposed by “{escape(chosen.source)}”"]
    lines += [escape(of.label(name).text(value)) for name, value in chosen.values]
    return (
        f"<figure>{to_svg(chosen.picture)}<figcaption>{'<br>'.join(lines)}</figcaption></figure>"
    )


def _factors(of: Explanation) -> str:
    told = [finding for finding in of.factors if finding.effect is not None]
    rest = [finding for finding in of.factors if finding.effect is None]
    n_best = of.factors[0].n_best
    parts = [
        f"<h2>Trial {of.explained}, factor by factor</h2>",
        f"<p>{escape(words.deciding(of))}</p>",
    ]
    if told:
        header = (
            "this architecture",
            f"shared by the best {n_best}",
            f"effect on {of.label(of.target).title}",
            "95 % interval",
            "needed",
        )
        parts.append(_table(header, [_factor_cells(f, of) for f in told]))
        parts.append(f'<p class="soft">{escape(words.METHOD)}</p>')
    if rest:
        rows = [_untold_cells(finding) for finding in rest]
        parts.append("<h3>The same in all trials, or in too few of them to tell</h3>")
        parts.append(_table(("this architecture", f"shared by the best {n_best}"), rows))
    return "\n".join(parts)


def _factor_cells(finding: FactorFinding, of: Explanation) -> list[str]:
    effect = finding.effect
    assert effect is not None
    verdict = '<span class="soft">no clear effect</span>'
    if effect.is_clear:
        helps = words.helps(of, effect.value)
        text = words.difference(of, effect.value) + words.unit(of)
        verdict = (
            f'<span class="{"good" if helps else "bad"}">{escape(text)}, '
            f"{'better' if helps else 'worse'}</span>"
        )
    return [
        escape(finding.text),
        _sharing(finding),
        verdict,
        f'<span class="whole">{escape(words.interval(of, effect))}</span>',
        words.share(effect.support),
    ]


def _untold_cells(finding: FactorFinding) -> list[str]:
    return [escape(finding.text), _sharing(finding)]


def _sharing(finding: FactorFinding) -> str:
    if finding.n_sharing == finding.n_best:
        return f"all {finding.n_best}"
    prefix = f"{finding.factor.name}: "
    values = "; ".join(text.removeprefix(prefix) for text in finding.promising)
    verdict = "promising" if finding.is_promising else "unlike most of them"
    share = f"{finding.n_sharing} of {finding.n_best}, {verdict}"
    return f'{share} <span class="soft">(they have: {escape(values)})</span>'


def _course(of: Explanation) -> str:
    figures = [figure for figure in of.figures if figure.key == SOURCES_KEY]
    best = f"best {of.label(of.target).title}"
    parts = [
        "<h2>What the search did</h2>",
        "<p>Each part of the search proposes trials in its own way. An improvement is a trial "
        "better than all before it"
        + ("; with several objectives, one that none before it beats." if of.n_front > 1 else "."),
        "</p>",
        _table(
            ("part of the search", "how it proposes", "proposals", "improvements", best),
            _source_rows(of),
        ),
        "<h3>From the first trial to the last</h3>",
        _table(
            ("trials", "proposed by", "improvements found by", f"{best} so far"),
            _period_rows(of),
        ),
        *map(_figure, figures),
    ]
    return "\n".join(parts)


def _source_rows(of: Explanation) -> Iterable[list[str]]:
    for source in of.course.sources:
        yield [
            f"<b>{escape(source.name)}</b>",
            words.SOURCE_MEANINGS.get(source.name, ""),
            str(source.n_proposals),
            str(source.n_improvements),
            _value(of, source.best),
        ]


def _period_rows(of: Explanation) -> Iterable[list[str]]:
    for period in of.course.periods:
        yield [
            f"{period.first} to {period.last}",
            _counts(period.proposals),
            _counts(period.improvements),
            _value(of, period.best),
        ]


def _value(of: Explanation, value: float | None) -> str:
    return "" if value is None else escape(of.label(of.target).number(value))


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{escape(name)} {n}" for name, n in counts)


def _figures(figures: Sequence[ReportFigure]) -> Iterable[str]:
    yield "<h2>Figures</h2>"
    yield from (_figure(figure) for figure in figures if figure.key != SOURCES_KEY)


def _figure(of: ReportFigure) -> str:
    place = f"figure-{of.key}"
    # A "<" of a user's text must not end the script.
    data = of.figure.to_json().replace("<", "\\u003c")
    return (
        f'<section class="figure"><h3>{escape(of.title)}</h3>\n<p>{escape(of.reading)}</p>\n'
        f'<div class="plot"><div id="{place}"></div></div>\n<script type="application/json" '
        f'class="figure-data" data-place="{place}">{data}</script></section>'
    )


def _provenance(study_name: str, of: Provenance) -> str:
    entries = {"study": study_name, "storage": of.storage or "in memory"}
    if of.begun is not None and of.ended is not None:
        entries["trials"] = f"{of.begun:%Y-%m-%d %H:%M} to {of.ended:%Y-%m-%d %H:%M}"
    entries["software"] = ", ".join(f"{name} {version}" for name, version in of.software)
    entries["seed"] = "not kept by studies"
    entries["report written"] = f"{of.written:%Y-%m-%d %H:%M}"
    rows = "".join(f"<dt>{k}</dt><dd>{escape(v)}</dd>" for k, v in entries.items())
    return f"<h2>Where this comes from</h2>\n<dl>{rows}</dl>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML, headers are text."""
    heads = "".join(f"<th>{escape(text)}</th>" for text in header)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )
