"""The HTML frame of a report. Places to fill are written @@name@@; colours live in CSS variables, themed once."""

from __future__ import annotations

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>@@title@@</title>
<style>
:root { --ink: #1b1f23; --soft: #57606a; --line: #d8dee4; --paper: #ffffff; --card: #f6f8fa; --met: #00694a;
        --missed: #a63d00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #30363d; --paper: #0d1117; --card: #161b22; --met: #3ccb9f;
          --missed: #ff9d5c; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
       font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 48px; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .3em; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 0 0 .2em; }
p { margin: .2em 0 .8em; color: var(--soft); max-width: 75ch; }
.notice { display: inline-block; margin: .6em 0 0; padding: .25em .8em; border: 1px solid var(--line);
          border-radius: 999px; color: var(--ink); font-weight: 600; font-size: .9rem; }
section { margin: 36px 0; }
.plot { width: 100%; min-height: 340px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: .38em .7em; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
.met td:first-child { color: var(--met); font-weight: 600; white-space: nowrap; }
.missed td:first-child { color: var(--missed); font-weight: 600; white-space: nowrap; }
.missed { background: var(--card); }
details { margin-top: 12px; }
summary { cursor: pointer; color: var(--ink); font-weight: 600; padding: .3em 0; }
footer { padding-bottom: 64px; border-top: 1px solid var(--line); padding-top: 20px; font-size: .9rem; }
@media (max-width: 720px) { table { display: block; overflow-x: auto; } }
</style>
</head>
<body>
<header><h1>@@title@@</h1><p>@@subtitle@@</p><span class="notice">@@notice@@</span></header>
<main>
@@body@@
</main>
<footer>
@@notes@@
<p>@@notice@@</p>
</footer>
<script>@@plotly@@</script>
<script>
const plots = @@plots@@;
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function theme() {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim(), line = style.getPropertyValue("--line").trim();
  return { ink, line, family: getComputedStyle(document.body).fontFamily };
}
function draw() {
  const { ink, line, family } = theme();
  plots.forEach((plot, number) => {
    const layout = structuredClone(plot.layout);
    layout.font = { color: ink, family, size: 13 };
    layout.hoverlabel = { font: { family } };
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis/.test(key)) Object.assign(layout[key], { gridcolor: line, linecolor: line, tickcolor: line });
    }
    Plotly.react(`plot-${number}`, plot.data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
  });
}
draw();
dark.addEventListener("change", draw);
</script>
</body>
</html>
"""
