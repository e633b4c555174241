"""The page of a directory, to be filled in by `page`: its style, its icons, its frame."""

from string import Template
from typing import Final

PAGE: Final = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { --text: #1d2433; --quiet: #667085; --line: #e7eaf0; --paper: #fff; --ground: #f5f6f9;
  --link: #2456c9; --hover: #f2f6ff; --folder: #3b74e8; --icon: #8a94a8 }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8f0; --quiet: #929db1; --line: #2a3140;
  --paper: #1a1f2a; --ground: #12161e; --link: #8fb4ff; --hover: #212838; --folder: #6d9bff;
  --icon: #78839a } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem }
h1 { margin: 0 0 1.25rem; font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere }
h1 a { color: var(--quiet); font-weight: 400 }
h1 a[aria-current] { color: inherit; font-weight: 600 }
h1 a:hover { color: var(--link) }
h1 span { margin-left: .2em; color: var(--quiet); font-weight: 400 }
a { color: var(--link); text-decoration: none; border-radius: 4px }
a:hover { text-decoration: underline; text-underline-offset: 3px }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
table a:focus-visible { outline-offset: -2px }
table { width: 100%; border-collapse: separate; border-spacing: 0; background: var(--paper);
  border: 1px solid var(--line); border-radius: 12px; overflow: hidden }
th, td { padding: 0 1rem; border-bottom: 1px solid var(--line); white-space: nowrap }
tr:last-child td { border-bottom: 0 }
th { color: var(--quiet); font-size: .8125rem; font-weight: 500; text-align: left }
th a { display: inline-block; padding: .625rem 0; color: inherit }
th[aria-sort] { color: var(--text) }
th span { margin-left: .25em }
td { color: var(--quiet); font-size: .875rem; font-variant-numeric: tabular-nums }
th:nth-child(2), td:nth-child(2) { text-align: right }
td:first-child { width: 100%; font-size: 1rem; white-space: normal }
td a { display: flex; gap: .75rem; padding: .5625rem 0; overflow-wrap: anywhere }
td bdi { min-width: 0; white-space: pre-wrap }
tbody tr:hover { background: var(--hover) }
svg { flex: none; width: 1.25rem; height: 1.25rem; margin-top: .125rem; fill: none;
  stroke: var(--icon); stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round }
#folder { fill: var(--folder); stroke: var(--folder) }
.quiet, footer { color: var(--quiet) }
footer { display: flex; flex-wrap: wrap; gap: .5rem 2rem; padding: 1rem; font-size: .875rem }
nav { margin-left: -.5rem }
nav a, nav span { display: inline-block; padding: .125rem .5rem }
@media (max-width: 36rem) {
  main { padding: 1.5rem 0 }
  h1, footer { padding: 0 1rem }
  footer { padding-top: 1rem }
  table { display: block; border-radius: 0; border-width: 1px 0 }
  thead, tbody { display: block }
  tr { display: flex; flex-wrap: wrap; border-bottom: 1px solid var(--line) }
  tbody tr:last-child { border-bottom: 0 }
  th, td { padding: 0 1rem; border: 0 }
  th:first-child { flex: 1 }
  th a { padding: .75rem 0 }
  td:first-child { flex: 0 0 100% }
  td a { padding: .75rem 0 .625rem }
  td:nth-child(n + 2) { margin-top: -.5rem; padding: 0 0 .625rem; font-size: .8125rem }
  td:nth-child(2), td:nth-child(2):empty + td { padding-left: 3rem }
  td:nth-child(2):not(:empty) + td::before { content: "·"; margin: 0 .5em }
  td:nth-child(n + 2):empty { display: none }
}
</style>
</head>
<body>
<svg style="display:none">
<symbol id="up" viewBox="0 0 20 20"><path d="M8 4 4 8l4 4M4.5 8H12a4 4 0 0 1 4 4v4"/></symbol>
<symbol id="folder" viewBox="0 0 20 20"><path d="M2.5 5.5a1 1 0 0 1 1-1h4l2 2h7a1 1 0 0 1 1 1v7\
a1 1 0 0 1-1 1h-13a1 1 0 0 1-1-1z"/></symbol>
<symbol id="file" viewBox="0 0 20 20"><path d="M5 2.5h6.5L15.5 6.5v11H5zM11.5 2.5v4h4"/></symbol>
<symbol id="text" viewBox="0 0 20 20"><path d="M5 2.5h6.5L15.5 6.5v11H5zM11.5 2.5v4h4M7.5 10h5.5\
M7.5 13.5h5.5"/></symbol>
<symbol id="image" viewBox="0 0 20 20"><path d="M2.5 4h15v12h-15zM3 14.5l4-4.5 3.5 3.5 2-2 4.5 4\
M13 7.5h.01"/></symbol>
<symbol id="sound" viewBox="0 0 20 20"><path d="M8 15V4.5l8-1.5v10.5M8 15a2.3 2 0 1 1-4.6 0\
 2.3 2 0 0 1 4.6 0zM16 13.5a2.3 2 0 1 1-4.6 0 2.3 2 0 0 1 4.6 0z"/></symbol>
<symbol id="video" viewBox="0 0 20 20"><path d="M2.5 4h15v12h-15zM8.5 7.5v5l4-2.5z"/></symbol>
<symbol id="archive" viewBox="0 0 20 20"><path d="M3 3.5h14v4H3zM4 7.5v9h12v-9M8 11h4"/></symbol>
</svg>
<main>
<h1>$trail</h1>
<table>
<thead>
<tr>$heads</tr>
</thead>
<tbody>
$rows</tbody>
</table>
<footer>$turning<span>$summary</span></footer>
</main>
</body>
</html>
""")
