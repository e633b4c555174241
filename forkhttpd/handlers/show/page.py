"""The page of the status, to be filled in by its script: its style and its frame."""

from string import Template
from typing import Final

PAGE: Final = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>forkhttpd status</title>
<style>
:root { --text: #1d2433; --quiet: #667085; --line: #e7eaf0; --paper: #fff; --ground: #f5f6f9;
  --ink: #2456c9; --fill: #2456c922; --good: #157f3d; --notice: #9a6200; --bad: #c02b2b }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8f0; --quiet: #929db1; --line: #2a3140;
  --paper: #1a1f2a; --ground: #12161e; --ink: #8fb4ff; --fill: #8fb4ff26; --good: #5dce87;
  --notice: #e7b356; --bad: #ff8b80 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui,
  -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; font-variant-numeric: tabular-nums }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 3rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem }
h1 { margin: 0; font-size: 1.375rem; font-weight: 650 }
a { color: var(--ink) }
h2 { margin: 2rem 0 .625rem; font-size: 1rem; font-weight: 600 }
h2 small { margin-left: .5rem; color: var(--quiet); font-size: .875rem; font-weight: 400 }
header p { margin: 0; color: var(--quiet); font-size: .9375rem }
#link { margin-left: auto; font-weight: 500 }
#link::before { content: ""; display: inline-block; width: .5rem; height: .5rem;
  margin-right: .4rem; border-radius: 50%; background: currentColor; vertical-align: .08em }
.good { color: var(--good) } .notice { color: var(--notice) } .bad { color: var(--bad) }
.quiet { color: var(--quiet) }
#graphs { display: grid; gap: .875rem; margin-top: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)) }
figure { margin: 0; padding: .75rem .875rem .625rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 12px; min-width: 0 }
figcaption { display: flex; align-items: baseline; justify-content: space-between; gap: .5rem;
  color: var(--quiet); font-size: .8125rem }
figcaption b { color: var(--text); font-size: 1.375rem; font-weight: 600; white-space: nowrap }
figure svg { display: block; width: 100%; height: 4rem; margin-top: .375rem; overflow: visible }
figure path { fill: var(--fill) } figure polyline { fill: none; stroke: var(--ink);
  stroke-width: 1.5; stroke-linejoin: round; vector-effect: non-scaling-stroke }
figure line { stroke: var(--line); vector-effect: non-scaling-stroke }
figure footer { display: flex; justify-content: space-between; color: var(--quiet);
  font-size: .75rem }
.table { overflow-x: auto; background: var(--paper); border: 1px solid var(--line);
  border-radius: 12px }
table { width: 100%; border-collapse: collapse; font-size: .875rem }
th, td { padding: .5rem .875rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap }
tbody tr:last-child td { border-bottom: 0 }
th { color: var(--quiet); font-size: .8125rem; font-weight: 500 }
th.left, td.left { text-align: left }
td.wide { width: 100%; min-width: 7rem; max-width: 0; overflow: hidden; text-overflow: ellipsis }
td.none { color: var(--quiet); text-align: left }
@media (max-width: 40rem) {
  main { padding: 1.25rem .875rem 2rem }
  #graphs { grid-template-columns: 1fr 1fr; gap: .625rem }
  figure { padding: .5rem .625rem } figure svg { height: 3rem }
  figcaption { display: block } figcaption b { display: block; font-size: 1.125rem }
  th, td { padding: .4375rem .625rem } .more { display: none }
}
</style>
<noscript><style>#link { display: none }</style></noscript>
</head>
<body>
<main>
<header>
<h1>forkhttpd</h1>
<p id="about">&nbsp;</p>
<p id="link" role="status" class="notice">connecting</p>
</header>
<noscript><p>This page is drawn by its script; <a href="data">the same as JSON</a>.</p></noscript>
<section id="graphs" aria-label="The last five minutes"></section>
<h2>Workers <small id="durations"></small></h2>
<div class="table"><table id="workers"></table></div>
<h2>Requests in flight <small>those that take longer than a moment</small></h2>
<div class="table"><table id="requests"></table></div>
<h2>Pools</h2>
<div class="table"><table id="pools"></table></div>
<h2>Sites <small id="since"></small></h2>
<div class="table"><table id="sites"></table></div>
</main>
<script>$script</script>
</body>
</html>
""")
