"""How a report looks: on light and dark screens, and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1f2937; --soft: #5b6472; --page: #ffffff;
  --card: #f5f7fa; --line: #d8dde4; --good: #00684c; --bad: #a63f00; --accent: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #a3acba; --page: #14171c; --card: #1d2229; --line: #363d48;
    --good: #4cc9a0; --bad: #ff9b5e; --accent: #6cbcf0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1120px; background: var(--page);
  color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans",
  Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; border-bottom: 1px solid var(--line);
  padding-bottom: .25rem; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p { margin: .5rem 0; max-width: 78ch; }
.summary { background: var(--card); border-left: 4px solid var(--accent); padding: .7rem 1.2rem;
  border-radius: 6px; }
.soft { color: var(--soft); font-size: .92rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; margin: .8rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
.whole { white-space: nowrap; font-variant-numeric: tabular-nums; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.gallery { display: flex; flex-wrap: wrap; gap: 1rem; }
.gallery figure { margin: 0; padding: 1rem; background: var(--card); border-radius: 8px;
  text-align: center; }
.gallery svg { height: 340px; width: auto; max-width: 100%; }
.gallery.several svg { height: 210px; }
figcaption { font-size: .9rem; text-align: left; max-width: 32ch; }
.plot { background: #ffffff; border: 1px solid var(--line); border-radius: 8px; padding: .4rem;
  overflow-x: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; font-size: .93rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { padding: 0; max-width: none; font-size: 11pt; }
  section.figure, .gallery figure, tr { break-inside: avoid; } }
"""

DRAW = """
for (const data of document.querySelectorAll("script.figure-data")) {
  const figure = JSON.parse(data.textContent);
  Plotly.newPlot(data.dataset.place, figure.data, figure.layout,
    {responsive: true, displaylogo: false});
}
"""
"""Of every figure, once plotly is there."""
