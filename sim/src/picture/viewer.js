"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => dark.matches
  ? { bg: "#14171b", fg: "#e6e8eb", dim: "#9aa3ad", line: "#2a3038", band: "rgba(245,158,11,.1)", bandLine: "rgba(245,158,11,.75)" }
  : { bg: "#ffffff", fg: "#1c2024", dim: "#6b7280", line: "#e3e6ea", band: "rgba(217,119,6,.09)", bandLine: "rgba(180,83,9,.7)" };
// Colours of states differ in lightness too, for eyes and printers that see no hue.
const STATE = {
  active: ["#16a34a", "active"], registered: ["#0ea5e9", "registered"], connecting: ["#eab308", "connecting"],
  disconnected: ["#f97316", "disconnected"], failed: ["#b91c1c", "failed"], shutdown: ["#64748b", "shut down"],
  up: ["#4f8cc9", "coordinator runs"], frozen: ["#a78bfa", "frozen"], gone: ["#374151", "no process"],
};
const FATE = {
  delivered: ["#3b82f6", "arrived"], late: ["#d97706", "late"], lost: ["#dc2626", "lost"], open: ["#9ca3af", "never told"],
};
const LEFT = 96, TOP = 26;
let LANE = 46;
const lanes = data.lanes.length;
const span = Math.max(1, data.to - data.from);
let view = { from: data.from, to: data.to };
let shown = { task: null, routine: false, timers: false, find: "" };
let chosen = 0;
let cone = { back: new Set(), forth: new Set() };
const stage = $("stage"), canvas = $("view"), g = canvas.getContext("2d");
let width = 0, height = 0;

// ---- the records: what led to what
const record = (n) => data.records[n - 1 - data.forgotten];
const saying = new Map();
for (const a of data.arrows) {
  const says = a.says.join(", ") + (a.tasks.length ? " (" + a.tasks.map((t) => "t" + t).join(", ") + ")" : "");
  if (a.says.length) { saying.set(a.record, says); if (a.end) saying.set(a.end, says); }
}
const words = (n) => (data.words[n - 1 - data.forgotten] || "") + (saying.has(n) ? ": " + saying.get(n) : "");
const children = new Map();
data.records.forEach((r, i) => {
  if (!r[6]) return;
  if (!children.has(r[6])) children.set(r[6], []);
  children.get(r[6]).push(i + 1 + data.forgotten);
});
function coneOf(n) {
  const back = new Set(), forth = new Set();
  for (let at = n; at && record(at); at = record(at)[6]) back.add(at);
  const left = [n];
  while (left.length && forth.size < 5000) {
    const at = left.pop();
    for (const child of children.get(at) || []) if (!forth.has(child)) { forth.add(child); left.push(child); }
  }
  return { back, forth };
}
const seconds = (ns) => (ns / 1e9).toFixed(6).replace(/0{1,3}$/, "") + " s";

// ---- places
const x = (at) => LEFT + (at - view.from) / (view.to - view.from) * (width - LEFT - 8);
const when = (px) => view.from + (px - LEFT) / (width - LEFT - 8) * (view.to - view.from);
const y = (lane) => TOP + lane * LANE + 14;

// ---- sorted for culling
const arrows = data.arrows;
const longest = arrows.reduce((most, a) => Math.max(most, a.ended - a.sent), 0);
const first = (list, key, at) => {
  let low = 0, high = list.length;
  while (low < high) { const mid = (low + high) >> 1; if (list[mid][key] < at) low = mid + 1; else high = mid; }
  return low;
};
function visible(a) {
  if (a.routine && !shown.routine && !cone.back.has(a.record) && !cone.forth.has(a.record)) return false;
  return shown.task === null || a.tasks.includes(shown.task) || cone.back.has(a.record);
}

function draw() {
  const c = paint();
  g.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  g.fillStyle = c.bg; g.fillRect(0, 0, width, height);
  g.font = "12px system-ui, sans-serif"; g.textBaseline = "middle";
  drawAxis(c); drawBands(c);
  g.save(); g.beginPath(); g.rect(LEFT, TOP, width - LEFT, height); g.clip();
  drawSpans(); drawBars(c); drawMarks(c); drawArrows(); drawPin();
  g.restore();
  g.fillStyle = c.fg;
  data.lanes.forEach((lane, i) => g.fillText(lane.name, 8, y(i)));
  $("range").textContent = seconds(view.from) + " to " + seconds(view.to);
}
function drawAxis(c) {
  const wide = view.to - view.from;
  let step = Math.pow(10, Math.floor(Math.log10(wide / 6)));
  if (wide / step > 30) step *= 5; else if (wide / step > 12) step *= 2;
  g.strokeStyle = c.line; g.fillStyle = c.dim; g.lineWidth = 1;
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const px = Math.round(x(at)) + .5;
    g.beginPath(); g.moveTo(px, TOP - 6); g.lineTo(px, height); g.stroke();
    const digits = Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step))));
    g.fillText((at / 1e9).toFixed(digits) + " s", px + 3, 10);
  }
  for (const [at, text] of data.phases) {
    const px = x(at); if (px < LEFT || px > width) continue;
    g.strokeStyle = c.dim; g.setLineDash([4, 4]); g.beginPath(); g.moveTo(px, TOP - 8); g.lineTo(px, height); g.stroke(); g.setLineDash([]);
    g.fillStyle = c.dim; g.fillText(text.split(";")[0], px + 4, TOP - 3);
  }
}
function drawBands(c) {
  for (const band of data.bands) {
    const a = Math.max(LEFT, x(band.from)), b = Math.min(width, Math.max(x(band.to), x(band.from) + 2));
    if (b < LEFT || a > width) continue;
    for (const lane of band.lanes) {
      g.fillStyle = c.band; g.fillRect(a, y(lane) - 16, b - a, LANE - 6);
      g.fillStyle = c.bandLine; g.fillRect(a, y(lane) - 16, b - a, 2);
    }
  }
}
function drawSpans() {
  for (const s of data.spans) {
    const a = Math.max(LEFT, x(s.from)), b = Math.min(width, x(s.to));
    if (b < LEFT || a > width) continue;
    g.fillStyle = STATE[s.kind][0];
    const h = s.kind === "gone" ? 2 : 8;
    g.fillRect(a, y(s.lane) - h / 2, Math.max(1, b - a), h);
    if (s.kind === "frozen") {
      g.strokeStyle = "rgba(255,255,255,.7)"; g.lineWidth = 1; g.beginPath();
      for (let px = a; px < b; px += 6) { g.moveTo(px, y(s.lane) + 4); g.lineTo(px + 4, y(s.lane) - 4); }
      g.stroke();
    }
  }
}
const hue = (task) => (task * 137.508) % 360;
function drawBars(c) {
  for (const bar of data.bars) {
    if (shown.task !== null && bar.task !== shown.task) continue;
    const a = Math.max(LEFT, x(bar.from)), b = Math.min(width, x(bar.to));
    if (b < LEFT || a > width) continue;
    const top = y(bar.lane) + 7 + Math.min(bar.row, 4) * 4;
    g.fillStyle = `hsl(${hue(bar.task)} 55% 50%)`;
    g.fillRect(a, top, Math.max(1, b - a), 3);
    if (b - a > 34 && bar.row === 0) { g.fillStyle = c.dim; g.font = "9px system-ui"; g.fillText("t" + bar.task, a + 2, top + 8); g.font = "12px system-ui, sans-serif"; }
  }
}
function drawMarks(c) {
  for (const m of data.marks) {
    if (m.kind === "timer" && !shown.timers) continue;
    if (m.kind === "client" && shown.task !== null && m.task !== shown.task) continue;
    const px = x(m.at); if (px < LEFT || px > width) continue;
    const py = y(m.lane);
    if (m.kind === "timer") { g.fillStyle = c.dim; g.fillRect(px, py - 9, 1, 4); }
    else if (m.kind === "commit") { g.fillStyle = c.fg; g.fillRect(px - .5, py - 11, 1, 6); }
    else if (m.kind === "client") { g.fillStyle = "#14b8a6"; g.beginPath(); g.arc(px, py - 10, 2.5, 0, 7); g.fill(); }
    else if (m.kind === "dial") { g.strokeStyle = "#eab308"; g.lineWidth = 1.5; g.beginPath(); g.moveTo(px, py - 10); g.lineTo(px, py + 5); g.stroke(); }
    else { g.strokeStyle = "#f97316"; g.lineWidth = 1.5; g.beginPath(); g.moveTo(px - 3, py - 3); g.lineTo(px + 3, py + 3); g.moveTo(px + 3, py - 3); g.lineTo(px - 3, py + 3); g.stroke(); }
  }
}
function drawArrows() {
  const lit = chosen !== 0;
  const until = first(arrows, "sent", view.to);
  for (let i = first(arrows, "sent", view.from - longest); i < until; i++) {
    const a = arrows[i];
    if (a.ended < view.from || !visible(a)) continue;
    const on = cone.back.has(a.record) || cone.forth.has(a.record);
    g.globalAlpha = lit && !on ? .12 : a.routine ? .45 : .9;
    g.strokeStyle = g.fillStyle = FATE[a.fate][0];
    g.lineWidth = on ? 2.2 : 1;
    if (a.fate === "open") g.setLineDash([3, 3]);
    const x1 = x(a.sent), y1 = y(a.from), x2 = x(a.ended), y2 = y(a.to);
    g.beginPath(); g.moveTo(x1, y1); g.lineTo(x2, y2); g.stroke(); g.setLineDash([]);
    if (a.fate === "lost") { g.beginPath(); g.moveTo(x2 - 3, y2 - 3); g.lineTo(x2 + 3, y2 + 3); g.moveTo(x2 + 3, y2 - 3); g.lineTo(x2 - 3, y2 + 3); g.stroke(); }
    else if (y1 !== y2) {
      const angle = Math.atan2(y2 - y1, x2 - x1);
      g.beginPath(); g.moveTo(x2, y2);
      g.lineTo(x2 - 6 * Math.cos(angle - .4), y2 - 6 * Math.sin(angle - .4));
      g.lineTo(x2 - 6 * Math.cos(angle + .4), y2 - 6 * Math.sin(angle + .4)); g.fill();
    }
  }
  g.globalAlpha = 1;
  if (!lit) return;
  for (const n of cone.back) {
    const r = record(n); if (!r || r[2] >= lanes) continue;
    g.strokeStyle = "#db2777"; g.lineWidth = 2; g.beginPath(); g.arc(x(r[0]), y(r[2]), n === chosen ? 6 : 4, 0, 7); g.stroke();
  }
}
function drawPin() {
  if (!data.pin) return;
  const px = x(data.pin.at);
  g.strokeStyle = "#dc2626"; g.lineWidth = 2; g.beginPath(); g.moveTo(px, TOP); g.lineTo(px, height); g.stroke();
  g.fillStyle = "#dc2626"; g.beginPath(); g.moveTo(px - 6, TOP - 10); g.lineTo(px + 6, TOP - 10); g.lineTo(px, TOP); g.fill();
}

// ---- what is under the pointer
function near(px, py) {
  let best = { d: 9, n: 0 };
  const see = (d, n) => { if (d < best.d) best = { d, n }; };
  const lane = Math.round((py - TOP - 14) / LANE);
  for (const m of data.marks) {
    if (m.kind === "timer" && !shown.timers) continue;
    if (m.lane === lane) see(Math.hypot(x(m.at) - px, (y(lane) - 8 - py) / 1.5), m.record);
  }
  for (const bar of data.bars) {
    if (bar.lane !== lane) continue;
    const top = y(lane) + 8 + Math.min(bar.row, 4) * 4;
    if (px >= x(bar.from) - 2 && px <= x(bar.to) + 2) see(Math.abs(top - py) + 1, bar.record);
  }
  const until = first(arrows, "sent", view.to);
  for (let i = first(arrows, "sent", view.from - longest); i < until; i++) {
    const a = arrows[i]; if (a.ended < view.from || !visible(a)) continue;
    const x1 = x(a.sent), y1 = y(a.from), dx = x(a.ended) - x1, dy = y(a.to) - y1;
    const t = Math.max(0, Math.min(1, ((px - x1) * dx + (py - y1) * dy) / (dx * dx + dy * dy || 1)));
    see(Math.hypot(x1 + t * dx - px, y1 + t * dy - py), t > .5 && a.end ? a.end : a.record);
  }
  if (!best.n) for (const band of data.bands) {
    if (band.lanes.includes(lane) && px >= x(band.from) - 3 && px <= x(band.to) + 3) see(6, band.record);
  }
  if (!best.n) for (const s of data.spans) {
    if (s.lane === lane && px >= x(s.from) && px <= x(s.to) && Math.abs(y(lane) - py) < 8) see(8, s.record);
  }
  return best.n;
}
function choose(n) {
  chosen = n; cone = n ? coneOf(n) : { back: new Set(), forth: new Set() };
  const box = $("detail"); box.replaceChildren();
  const add = (tag, text, parent = box) => { const e = document.createElement(tag); e.textContent = text; parent.append(e); return e; };
  if (!n || !record(n)) { add("p", "Click on anything to see what led to it and what it led to.").className = "hint"; draw(); return; }
  const list = (title, numbers) => {
    if (!numbers.length) return;
    add("h3", title);
    const ol = document.createElement("ol"); box.append(ol);
    for (const at of numbers.slice(0, 200)) {
      const li = document.createElement("li"), b = document.createElement("button"), t = document.createElement("time");
      t.textContent = seconds(record(at)[0]); b.append(t, words(at)); b.onclick = () => { choose(at); show(record(at)[0]); };
      li.append(b); ol.append(li);
    }
    if (numbers.length > 200) add("p", `and ${numbers.length - 200} more`).className = "hint";
  };
  add("h2", data.kinds[record(n)[1]] + " · " + seconds(record(n)[0]));
  add("p", words(n));
  const said = (children.get(n) || []).filter((at) => data.kinds[record(at)[1]] === "Says");
  list("It says", said);
  list("What led to it, the latest first", [...cone.back].filter((at) => at !== n));
  list("What it led to", [...cone.forth].filter((at) => !said.includes(at)).sort((a, b) => a - b));
  // A link to this page with this record chosen.
  history.replaceState(null, "", "#r" + n);
  draw();
}
function show(at) {
  const wide = view.to - view.from;
  if (at < view.from + wide * .05 || at > view.to - wide * .05) set(at - wide / 2, at + wide / 2);
}

// ---- moving
function set(from, to) {
  const wide = Math.min(Math.max(to - from, 1e4), span * 1.02);
  const middle = (from + to) / 2;
  from = Math.max(data.from - span * .01, Math.min(middle - wide / 2, data.to + span * .01 - wide));
  view = { from, to: from + wide }; draw();
}
function zoom(factor, at) {
  at ??= (view.from + view.to) / 2;
  set(at - (at - view.from) * factor, at + (view.to - at) * factor);
}
let grabbed = null;
canvas.addEventListener("pointerdown", (e) => { grabbed = { px: e.offsetX, view: { ...view }, moved: false }; canvas.setPointerCapture(e.pointerId); });
canvas.addEventListener("pointermove", (e) => {
  if (!grabbed) { const n = near(e.offsetX, e.offsetY); canvas.title = n ? words(n).slice(0, 300) : ""; canvas.style.cursor = n ? "pointer" : ""; return; }
  const by = (grabbed.px - e.offsetX) / (width - LEFT) * (grabbed.view.to - grabbed.view.from);
  if (Math.abs(grabbed.px - e.offsetX) > 3) { grabbed.moved = true; canvas.classList.add("moving"); }
  if (grabbed.moved) set(grabbed.view.from + by, grabbed.view.to + by);
});
canvas.addEventListener("pointerup", (e) => {
  canvas.classList.remove("moving");
  if (grabbed && !grabbed.moved) choose(near(e.offsetX, e.offsetY));
  grabbed = null;
});
canvas.addEventListener("wheel", (e) => {
  if (e.shiftKey) return;
  e.preventDefault(); zoom(Math.exp(Math.sign(e.deltaY) * .25), when(e.offsetX));
}, { passive: false });
addEventListener("keydown", (e) => {
  if (e.target.matches("input, select")) return;
  const wide = view.to - view.from;
  const does = {
    ArrowLeft: () => set(view.from - wide * .2, view.to - wide * .2), ArrowRight: () => set(view.from + wide * .2, view.to + wide * .2),
    "+": () => zoom(.6), "=": () => zoom(.6), "-": () => zoom(1.6), 0: () => set(data.from, data.to),
    v: () => data.pin && toPin(), Escape: () => choose(0),
  }[e.key];
  if (does) { e.preventDefault(); does(); }
});
function toPin() {
  const wide = Math.min(span, 4e9);
  set(data.pin.at - wide * .8, data.pin.at + wide * .2); choose(data.pin.record);
}
$("in").onclick = () => zoom(.6); $("out").onclick = () => zoom(1.6); $("all").onclick = () => set(data.from, data.to);
$("pin").onclick = toPin;
$("task").onchange = (e) => { shown.task = e.target.value === "" ? null : Number(e.target.value); draw(); };
$("routine").onchange = (e) => { shown.routine = e.target.checked; draw(); };
$("timers").onchange = (e) => { shown.timers = e.target.checked; draw(); };
$("find").onchange = (e) => {
  const text = e.target.value.toLowerCase(); if (!text) return;
  const from = chosen ? chosen - data.forgotten : 0;
  for (let i = 0; i < data.words.length; i++) {
    const at = (from + i) % data.words.length;
    if (words(at + 1 + data.forgotten).toLowerCase().includes(text)) { choose(at + 1 + data.forgotten); show(record(chosen)[0]); return; }
  }
  $("range").textContent = "nothing says that";
};

// ---- the curves below
function curves() {
  const c = paint();
  const fit = (id) => { const e = $(id); e.width = e.clientWidth * devicePixelRatio; e.height = 90 * devicePixelRatio; const q = e.getContext("2d"); q.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0); q.clearRect(0, 0, e.clientWidth, 90); return [q, e.clientWidth]; };
  const dials = data.marks.filter((m) => m.kind === "dial");
  const px = (at, w) => 4 + (at - data.from) / span * (w - 8);
  let [q, w] = fit("backoff");
  const by = new Map();
  for (const d of dials) { if (!by.has(d.lane)) by.set(d.lane, []); by.get(d.lane).push(d); }
  let most = 1e6;
  for (const list of by.values()) for (let i = 1; i < list.length; i++) if (list[i].value > list[i - 1].value) most = Math.max(most, list[i].at - list[i - 1].at);
  q.font = "10px system-ui"; q.fillStyle = c.dim; q.fillText("up to " + seconds(most), 4, 10);
  for (const [lane, list] of by) {
    q.strokeStyle = q.fillStyle = `hsl(${hue(lane)} 60% 50%)`; q.beginPath();
    for (let i = 1; i < list.length; i++) {
      const gap = list[i].value > list[i - 1].value ? list[i].at - list[i - 1].at : 0;
      const a = px(list[i].at, w), b = 86 - gap / most * 70;
      if (list[i].value > list[i - 1].value && i > 1 && list[i - 1].value > list[i - 2].value) q.lineTo(a, b); else q.moveTo(a, b);
      q.fillRect(a - 1.5, b - 1.5, 3, 3);
    }
    q.stroke();
  }
  [q, w] = fit("rate");
  const count = 240, bins = new Array(count).fill(0);
  for (const d of dials) bins[Math.min(count - 1, Math.floor((d.at - data.from) / span * count))]++;
  const top = Math.max(1, ...bins);
  q.fillStyle = "#eab308";
  bins.forEach((n, i) => q.fillRect(4 + i * (w - 8) / count, 86 - n / top * 70, Math.max(1, (w - 8) / count - 1), n / top * 70));
  q.fillStyle = c.dim; q.font = "10px system-ui";
  $("ratewords").textContent = `Dials: ${dials.length} in all, at most ${top} in ${seconds(span / count)}`;
}

function fit() {
  width = stage.clientWidth;
  LANE = Math.max(30, Math.min(96, (stage.clientHeight - TOP - 24) / lanes));
  height = Math.max(stage.clientHeight, TOP + lanes * LANE + 16);
  canvas.width = width * devicePixelRatio; canvas.height = height * devicePixelRatio;
  canvas.style.width = width + "px"; canvas.style.height = height + "px";
  draw(); curves();
}
const tasks = [...new Set([...data.bars.map((b) => b.task), ...arrows.flatMap((a) => a.tasks)])].sort((a, b) => a - b);
for (const task of tasks) $("task").add(new Option("t" + task, task));
const legend = $("legend");
const key = (color, text) => { const s = document.createElement("span"), i = document.createElement("i"); i.style.background = color; s.append(i, text); legend.append(s); };
const used = new Set(data.spans.map((s) => s.kind));
for (const [kind, [color, text]] of Object.entries(STATE)) if (used.has(kind)) key(color, text);
for (const [color, text] of Object.values(FATE)) key(color, "packet " + text);
key("rgba(217,119,6,.45)", "fault"); key("#eab308", "dial"); key("#14b8a6", "client");
if (data.pin) { $("verdict").textContent = data.pin.words; $("verdict").className = "broken"; $("pin").hidden = false; }
else $("verdict").textContent = `every promise was kept · ${arrows.length} packets, ${data.bars.length} runs of handlers`;
new ResizeObserver(fit).observe(stage); dark.addEventListener("change", fit);
fit();
const linked = Number(location.hash.slice(2));
if (location.hash.startsWith("#r") && record(linked)) {
  const wide = Math.min(span, 4e9), at = record(linked)[0];
  set(at - wide / 2, at + wide / 2); choose(linked);
} else if (data.pin) toPin();
})();
