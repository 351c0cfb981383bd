// The network: units as pictures of the plane, weights as links, biases as dots, all to be edited.
import schema from "./schema.js";
import { css, fitted, font, palette, signOf, tile } from "./colours.js";
import { outputsOf } from "./config.js";
import { FEATURE, FEATURE_TEXT, num } from "./numbers.js";
import { app, bias, fits, names, set, sizes, weight } from "./state.js";
import { drawNumbers, stepOf } from "./walk.js";

const net = document.getElementById("net");
const graph = document.getElementById("graph");
const N = schema.small;
export let columns = [];
const listeners = [];
export const onPick = (listener) => listeners.push(listener);

// Where each unit is: columns of at most 8, or blocks of smaller ones.
export function layout(width) {
  const counts = sizes();
  const rows = (n) => (n <= 8 ? n : Math.min(n, Math.ceil(Math.sqrt(n * 1.6))));
  const across = counts.map((n) => Math.ceil(n / rows(n)));
  const most = Math.max(...counts.map(rows), 3);
  const room = (width - 24) / (across.reduce((a, b) => a + b, 0) + 1.1 * (counts.length - 1) + 1.2);
  const size = Math.max(13, Math.min((most > 8 ? 26 : most > 6 ? 40 : 52) * palette.unit, room));
  const gap = size + (app.walk && Math.max(...counts) <= 8 ? (size < 30 ? 24 : 36) * palette.unit : most > 8 ? 4 : 11);
  const height = Math.max(290, most * gap + 64);
  const margin = width > 480 ? 46 : 30;
  const total = across.reduce((a, b) => a + b * (size + 4) - 4, 0);
  const space = (width - 2 * margin - total) / Math.max(1, counts.length - 1);
  let left = margin;
  columns = counts.map((n, l) => {
    const per = rows(n);
    const last = l === counts.length - 1;
    const big = last && n === 1 ? Math.min(size * 1.3, 64 * palette.unit) : size;
    const found = Array.from({ length: n }, (_, i) => ({
      x: left + size / 2 + Math.floor(i / per) * (size + 4),
      y: 40 + (height - 54) / 2 + ((i % per) - (Math.min(per, n) - 1) / 2) * gap,
      size: big,
    }));
    left += across[l] * (size + 4) - 4 + space;
    return found;
  });
  return height;
}

export function drawNetwork() {
  if (!fits()) return;
  const height = layout(net.clientWidth);
  const [g] = fitted(graph, height);
  heads();
  overlay();
  const step = stepOf();
  links(g, step);
  columns.forEach((column, l) => column.forEach((place, i) => unit(g, place, l, i, step)));
  if (step) drawNumbers(g, columns);
  const { config } = app;
  const rate = config.vary === "learning_rate" && config.networks > 1
    ? `, rate ${num(config.learning_rate * 10 ** ((2 * app.member) / (config.networks - 1) - 1))}` : "";
  const lost = app.frame.finite[app.member] ? "" : ", diverged";
  document.getElementById("whose").textContent = config.networks > 1 ? `${app.member + 1} of ${config.networks}${rate}${lost}` : lost.slice(2);
  graph.setAttribute("aria-label", `Network of ${sizes().join(", ")} units, ${config.activation}${config.residual ? ", residual" : ""}`);
}

export const ends = (a, b) => [a.x + a.size / 2, a.y, b.x - b.size / 2, b.y];

function links(g, step) {
  let most = 0.8;
  names().forEach((_, l) => columns[l + 1].forEach((_, o) => columns[l].forEach((_, i) => (most = Math.max(most, Math.abs(weight(l, o, i)))))));
  if (!Number.isFinite(most)) most = 1;
  const many = Math.max(...sizes()) > 12;
  for (let l = 0; l + 1 < columns.length; l++) {
    if (app.config.residual && l > 0 && l + 2 < columns.length) bypasses(g, l);
    columns[l + 1].forEach((b, o) => columns[l].forEach((a, i) => {
      const v = weight(l, o, i);
      const q = Math.min(1, Math.abs(v) / most) || 0;
      const on = step ? isOn(step, l, o, i) : 1;
      const chosen = app.selected && app.selected.l === l + 1 && app.selected.u === o;
      g.globalAlpha = (0.12 + 0.88 * Math.min(1, q * 1.4)) * (on ? 1 : 0.12) * (many && !chosen && !(step && on) ? 0.5 : 1);
      g.strokeStyle = css(signOf(v));
      g.lineWidth = 0.6 + 5 * q * (many ? 0.4 : 1) + (chosen ? 1 : 0);
      const [x1, y1, x2, y2] = ends(a, b);
      const middle = (x1 + x2) / 2;
      g.beginPath();
      g.moveTo(x1, y1);
      g.bezierCurveTo(middle, y1, middle, y2, x2, y2);
      g.stroke();
    }));
  }
  g.globalAlpha = 1;
}

// The bypass of a residual layer: each unit adds the value of the one before it.
function bypasses(g, l) {
  g.strokeStyle = css(palette.soft);
  g.lineWidth = 1.2;
  g.globalAlpha = 0.8;
  g.setLineDash([3, 3]);
  columns[l].forEach((a, i) => {
    const [x1, y1, x2] = ends(a, columns[l + 1][i]);
    g.beginPath();
    g.moveTo(x1, y1 - 4);
    g.lineTo(x2, y1 - 4);
    g.stroke();
  });
  g.setLineDash([]);
  g.globalAlpha = 1;
}

function isOn(step, l, o, i) {
  if (step.phase === "backward") return step.l === columns.length - 2 ? l === step.l && step.u === o : l === step.l + 1 && step.u === i;
  return step.phase !== "loss" && step.l === l && step.u === o;
}

function unit(g, place, l, i, step) {
  const t = tile(N);
  paint(t.words, l, i);
  t.put();
  const [x, y, s] = [place.x - place.size / 2, place.y - place.size / 2, place.size];
  g.save();
  g.beginPath();
  g.roundRect(x, y, s, s, Math.min(6, s / 5));
  g.save();
  g.clip();
  g.drawImage(t.canvas, x, y, s, s);
  g.restore();
  const current = step && step.l === l - 1 && step.u === i && l > 0;
  const chosen = app.selected && app.selected.l === l && app.selected.u === i;
  g.lineWidth = current || chosen ? 3 : 1;
  g.strokeStyle = css(current ? { backward: palette.delta, update: palette.negative }[step.phase] ?? palette.accent : chosen ? palette.ink : palette.soft);
  g.stroke();
  g.restore();
  if (l === 0 && s > 16) label(g, FEATURE_TEXT[app.config.features[i]], x - 5, place.y, "right");
  if (l === columns.length - 1 && columns[l].length > 1) label(g, String(i), x + s + 5, place.y, "left", css(palette.classes[i]));
  if (l > 0) dot(g, x, y + s, bias(l - 1, i), s);
}

function label(g, text, x, y, align, colour = css(palette.soft)) {
  g.fillStyle = colour;
  g.font = font(12);
  g.textAlign = align;
  g.textBaseline = "middle";
  const wide = g.measureText(text).width;
  if (align === "right" && x - wide < 0) {
    g.textAlign = "left";
    g.fillText(text, 0, y + 26);
  } else g.fillText(text, x, y);
}

function dot(g, x, y, b, size) {
  g.fillStyle = css(signOf(b));
  g.globalAlpha = 0.25 + 0.75 * Math.min(1, Math.abs(b) || 0);
  g.beginPath();
  g.arc(x, y, size < 24 ? 2.2 : 3.8, 0, 7);
  g.fill();
  g.globalAlpha = 1;
  g.strokeStyle = css(palette.panel);
  g.lineWidth = 1.2;
  g.stroke();
}

// What a unit answers in the plane, as colours.
export function paint(words, l, i) {
  const { frame, config } = app;
  const n = N * N;
  if (l === 0) {
    const f = FEATURE[config.features[i]];
    for (let k = 0; k < n; k++) {
      const a = -schema.edge + (2 * schema.edge * ((k % N) + 0.5)) / N;
      const b = schema.edge - (2 * schema.edge * (Math.floor(k / N) + 0.5)) / N;
      words[k] = palette.signed[Math.max(0, Math.min(255, Math.round(127.5 + 102 * f(a, b))))];
    }
    return;
  }
  if (l === columns.length - 1) {
    const G = schema.grid;
    const at = (k) => frame.mine[i * G * G + Math.floor(k / N) * 2 * G + (k % N) * 2];
    const colour = outputsOf(config) > 1 ? (v) => palette.class(i, v / 255) : (v) => palette.signed[v];
    for (let k = 0; k < n; k++) words[k] = colour(at(k));
    return;
  }
  const before = config.widths.slice(0, l - 1).reduce((a, b) => a + b, 0);
  const map = frame.maps.subarray((before + i) * n, (before + i + 1) * n);
  for (let k = 0; k < n; k++) words[k] = palette.signed[map[k]];
}

let drawnHeads = "";
function heads() {
  const key = app.config.widths.join() + columns.map((c) => Math.round(c[0].x));
  if (key === drawnHeads) return;
  drawnHeads = key;
  const place = document.getElementById("heads");
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  place.replaceChildren(...app.config.widths.map((n, l) => {
    const found = document.createElement("div");
    found.className = columns[2][0].x - columns[1][0].x < 78 ? "live tight" : "live";
    const column = columns[l + 1];
    found.style.left = (column[0].x + column.at(-1).x) / 2 + "px";
    const count = document.createElement("span");
    count.textContent = n;
    found.append(changer(l, -1, "−", "One unit fewer"), count, changer(l, 1, "+", "One unit more"));
    return found;
  }));
  if (focused) place.querySelector(`[data-key="${focused}"]`)?.focus();
}

function changer(l, by, text, what) {
  const button = document.createElement("button");
  button.textContent = text;
  button.dataset.key = `${l}${by}`;
  button.setAttribute("aria-label", `${what} in layer ${l + 1}`);
  button.onclick = (event) => {
    const jump = app.config.widths[l] > 12 || (by > 0 && app.config.widths[l] >= 12) ? 4 : 1;
    const widths = [...app.config.widths];
    const most = widths.length > schema.deepest_wide ? schema.wide[0] : schema.wide.at(-1);
    widths[l] = Math.max(1, Math.min(most, widths[l] + by * (event.shiftKey ? 10 : jump)));
    set({ widths: app.config.residual ? widths.map(() => widths[l]) : widths });
  };
  return button;
}

let drawnNodes = "";
// Buttons over the units: one tab stop, and arrow keys from unit to unit.
function overlay() {
  const key = JSON.stringify(columns.map((c) => c.map((p) => [Math.round(p.x), Math.round(p.y), Math.round(p.size)])));
  if (key === drawnNodes) return;
  drawnNodes = key;
  const place = document.getElementById("nodes");
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.at : null;
  place.replaceChildren();
  columns.forEach((column, l) => l && column.forEach((p, i) => {
    const button = document.createElement("button");
    Object.assign(button.style, { left: p.x - p.size / 2 + "px", top: p.y - p.size / 2 + "px", width: p.size + "px", height: p.size + "px" });
    button.dataset.at = `${l},${i}`;
    button.tabIndex = l === 1 && i === 0 ? 0 : -1;
    button.setAttribute("aria-label", l === columns.length - 1 ? `Output${column.length > 1 ? " " + i : ""}` : `Hidden layer ${l}, unit ${i + 1}`);
    button.onclick = () => listeners.forEach((listener) => listener(l, i));
    place.append(button);
  }));
  if (focused) place.querySelector(`[data-at="${focused}"]`)?.focus();
}

document.getElementById("nodes").addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!move || app.walk || !event.target.dataset.at) return;
  event.preventDefault();
  event.stopPropagation();
  const [l, i] = event.target.dataset.at.split(",").map(Number);
  const to = Math.max(1, Math.min(columns.length - 1, l + move[0]));
  const at = Math.max(0, Math.min(columns[to].length - 1, i + move[1]));
  document.querySelector(`#nodes [data-at="${to},${at}"]`).focus();
});

// The weight whose link passes nearest to a place, or null.
export function nearestLink(px, py) {
  let best = null;
  let least = 7;
  for (let l = 0; l + 1 < columns.length; l++) {
    columns[l + 1].forEach((b, o) => columns[l].forEach((a, i) => {
      const [x1, y1, x2, y2] = ends(a, b);
      const t = (px - x1) / (x2 - x1);
      if (t < 0 || t > 1) return;
      const s = 3 * t * t - 2 * t * t * t;
      const d = Math.abs(y1 + (y2 - y1) * s - py);
      if (d < least) [best, least] = [{ l: l + 1, u: o, i }, d];
    }));
  }
  return best;
}
