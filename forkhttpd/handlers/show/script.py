"""The script of the status page: it draws what the events say.

What comes from outside (paths, hosts) becomes text nodes and never markup.
"""

from typing import Final

SCRIPT: Final = r"""
'use strict';
const MINUTES = 5, WIDTH = 300, HEIGHT = 60;
const base = location.pathname.replace(/\/$/, '');
const byId = id => document.getElementById(id);
const sum = (items, key) => items.reduce((total, item) => total + item[key], 0);

function number(value) {
  if (value >= 1e6) return (value / 1e6).toPrecision(3) + ' M';
  if (value >= 1e4) return (value / 1e3).toPrecision(3) + ' k';
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(2);
}
function size(value) {
  let unit = 0;
  for (; value >= 1000 && unit < 4; unit++) value /= 1024;
  return (unit && value < 100 ? value.toFixed(1) : Math.round(value)) + ' ' + 'BKMGT'[unit];
}
function span(seconds) {
  const s = Math.floor(seconds), m = Math.floor(s / 60), h = Math.floor(m / 60);
  if (h >= 24) return Math.floor(h / 24) + ' d ' + h % 24 + ' h';
  if (h) return h + ' h ' + m % 60 + ' min';
  return m ? m + ' min ' + s % 60 + ' s' : s + ' s';
}
function duration(seconds) {
  if (seconds >= 60) return span(seconds);
  return seconds < 1 ? Number((seconds * 1000).toPrecision(2)) + ' ms' : number(seconds) + ' s';
}
const percent = value => (value * 100).toFixed(value && value < .1 ? 1 : 0) + ' %';

// The graphs: of a counter the rate is drawn, of anything else the value.
const GRAPHS = [
  ['requests', 'requests a second', number, true],
  ['bytes', 'sent a second', size, true],
  ['active', 'requests in flight', number, false],
  ['connections', 'open connections', number, false],
  ['worked', 'workers busy', percent, true],
  ['running', 'programs running', number, false],
  ['queued', 'waiting for a program', number, false],
  ['failures', 'errors (5xx) a second', number, true],
];
const samples = new Map();

function points(key, isRate, workers) {
  const all = [...samples.values()].sort((a, b) => a.time - b.time);
  if (!isRate) return all.map(one => [one.time, one[key]]);
  const scale = key === 'worked' ? 1e9 * Math.max(workers, 1) : 1;
  return all.slice(1).map((one, i) => [
    one.time, Math.max(one[key] - all[i][key], 0) / (one.time - all[i].time) / scale]);
}

function svg(name, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  return element;
}
function html(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

for (const [key, title] of GRAPHS) {
  const figure = html('figure'), caption = html('figcaption'), foot = html('footer');
  const drawing = svg('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none'});
  drawing.setAttribute('aria-hidden', 'true');
  drawing.append(svg('line', {x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT}), svg('path', {}),
    svg('polyline', {}));
  caption.append(html('span', title), html('b', '\u2013'));
  foot.append(html('span', `${MINUTES} min ago`), html('span', '', 'most'));
  figure.id = 'graph-' + key;
  figure.append(caption, drawing, foot);
  byId('graphs').append(figure);
}

function draw(now, workers) {
  for (const [key, , format, isRate] of GRAPHS) {
    const figure = byId('graph-' + key), found = points(key, isRate, workers);
    const most = found.reduce((top, point) => Math.max(top, point[1]), 0);
    const top = key === 'worked' ? Math.max(most, 1) : most || 1;
    const line = found.map(([time, value]) => [
      WIDTH * (1 - (now - time) / (MINUTES * 60)), HEIGHT * (1 - value / top)]);
    const text = line.map(point => point.map(value => value.toFixed(1)).join()).join(' ');
    figure.querySelector('polyline').setAttribute('points', text);
    figure.querySelector('path').setAttribute('d', line.length < 2 ? '' :
      `M${line[0][0].toFixed(1)},${HEIGHT} L${text} L${line.at(-1)[0].toFixed(1)},${HEIGHT} Z`);
    figure.querySelector('b').textContent = found.length ? format(found.at(-1)[1]) : '\u2013';
    figure.querySelector('.most').textContent = 'most ' + format(most);
  }
}

// The tables.  A column: title, its classes, what a row has there.
function fill(id, columns, rows, nothing) {
  const head = html('thead'), body = html('tbody'), titles = html('tr');
  for (const [title, className] of columns) titles.append(html('th', title, className));
  head.append(titles);
  for (const row of rows) {
    const line = html('tr');
    for (const [, className, cell] of columns) {
      const value = cell(row);
      line.append(value instanceof Node ? value : html('td', value, className));
    }
    body.append(line);
  }
  if (!rows.length) {
    const cell = html('td', nothing, 'none');
    cell.colSpan = columns.length;
    body.append(html('tr'));
    body.firstChild.append(cell);
  }
  byId(id).replaceChildren(head, body);
}

const COLOURS = {ready: 'good', starting: 'notice', draining: 'notice'};
const state = one => html('td', one.state, 'left ' + (COLOURS[one.state] || 'bad'));
let before = {};
function rate(one, key) {
  const last = before[one.pid], time = last ? one.uptime - last.uptime : one.uptime;
  return time > 0 ? Math.min(Math.max((one[key] - (last ? last[key] : 0)) / time, 0), 1) : 0;
}
const WORKERS = [
  ['worker', 'left', one => one.number], ['state', 'left', state],
  ['busy', '', one => percent(rate(one, 'worked'))],
  ['in flight', '', one => number(one.in_flight)],
  ['connections', 'more', one => number(one.connections)],
  ['requests', '', one => number(one.requests)], ['sent', 'more', one => size(one.bytes)],
  ['memory', 'more', one => size(one.memory)], ['CPU', 'more', one => percent(rate(one, 'cpu'))],
  ['up', 'more', one => span(one.uptime)], ['generation', 'more', one => one.generation],
  ['pid', 'more', one => one.pid],
];
const REQUESTS = [
  ['for', '', one => span(one.seconds)], ['method', 'left', one => one.method],
  ['path', 'left wide', one => one.path], ['host', 'left more', one => one.host],
  ['client', 'left', one => one.client || 'unix'], ['worker', 'more', one => one.worker],
  ['id', 'left more', one => one.id],
];
const POOLS = [
  ['pool', 'left', one => one.name], ['state', 'left', state],
  ['running', '', one => number(one.running)], ['queued', '', one => number(one.queued)],
  ['started', 'more', one => number(one.pool.started)],
  ['refused', '', one => number(one.pool.refused)],
  ['failed', 'more', one => number(one.pool.failed)],
  ['killed', 'more', one => number(one.pool.killed)],
  ['overdue', 'more', one => number(one.pool.overdue)],
  ['their CPU', 'more', one => duration(one.pool.user + one.pool.system)],
  ['memory', 'more', one => size(one.memory)], ['pid', 'more', one => one.pid],
];
const answered = digit => one => number(Object.entries(one.statuses)
  .reduce((total, [status, count]) => total + (status[0] === digit ? count : 0), 0));
const SITES = [
  ['site', 'left wide', one => one.name],
  ...['2', '3', '4', '5'].map(digit => [digit + 'xx', '', answered(digit)]),
  ['sent', '', one => size(one.bytes)],
];

function quantile(buckets, share) {
  const wanted = sum(buckets, 1) * share;
  let seen = 0;
  for (const [bound, count] of buckets) {
    seen += count;
    if (seen >= wanted) return bound === null ? 'more than a minute' : duration(bound);
  }
}
function durations(all) {
  return Object.entries(all).filter(([, one]) => sum(one.buckets, 1))
    .map(([kind, one]) => `of ${kind}s 95 % within ${quantile(one.buckets, .95)}`).join(', ');
}

function show(found) {
  const ready = found.workers.filter(one => one.state === 'ready');
  byId('about').textContent = `${found.version} \u00b7 generation ${found.generation} \u00b7 ` +
    `counting for ${span(found.time - found.since)} \u00b7 ` +
    `reloads: ${found.reloads.taken} taken, ${found.reloads.refused} refused`;
  for (const one of found.samples) samples.set(one.time, one);
  for (const time of samples.keys()) {
    if (time < found.time - MINUTES * 60) samples.delete(time);
  }
  draw(found.time, ready.length);
  byId('durations').textContent = durations(found.durations);
  byId('since').textContent = 'since ' + new Date(found.since * 1000).toLocaleString();
  fill('workers', WORKERS, found.workers, 'no worker');
  fill('requests', REQUESTS, found.workers
    .flatMap(one => one.answering.map(request => ({worker: one.number, ...request})))
    .sort((a, b) => b.seconds - a.seconds), 'none');
  fill('pools', POOLS, found.spawners.map(one => ({...one, pool: found.pools[one.name]})), 'none');
  fill('sites', SITES, Object.entries(found.sites).map(([name, one]) => ({name, ...one})), 'none');
  before = Object.fromEntries([...found.workers, ...found.spawners].map(one => [one.pid, one]));
}

function say(words, className) {
  byId('link').textContent = words;
  byId('link').className = className;
}
function connect() {
  const events = new EventSource(base + '/events');
  events.onmessage = event => { say('live', 'good'); show(JSON.parse(event.data)); };
  events.onerror = () => {
    say('reconnecting', 'bad');
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
}
connect();
"""
