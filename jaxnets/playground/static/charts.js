// Curves over the updates, and what is in the layers.
import { css, fitted, font, palette } from "./colours.js";
import { quantiles } from "./link.js";
import { num } from "./numbers.js";
import { app, fits, names } from "./state.js";

const decades = (digits) => Array.from({ length: 10 }, (_, e) => digits.map((d) => Number(`${d}e${e - 6}`))).flat();
// Ticks of a logarithmic axis, coarse to fine; a short axis has its own.
const TICKS = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8]].map(decades);

function ticksWithin(low, high) {
  const within = (ticks) => ticks.filter((v) => Math.log10(v) >= low - 1e-9 && Math.log10(v) <= high + 1e-9);
  const found = TICKS.map(within).find((ticks) => ticks.length > 2);
  if (found) return found;
  const span = 10 ** high - 10 ** low;
  const step = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2].find((v) => span / v < 5) ?? 0.5;
  return Array.from({ length: 6 }, (_, i) => Number(((Math.ceil(10 ** low / step) + i) * step).toFixed(3))).filter((v) => v <= 10 ** high);
}

export function drawCurves() {
  const canvas = document.getElementById("curves");
  const [g, w, h] = fitted(canvas);
  const name = app.curve;
  const rows = app.history.filter((row) => row[name][0][1] !== null);
  if (!rows.length) return;
  const log = name === "loss";
  const scale = log ? (v) => Math.log10(Math.max(v, 1e-5)) : (v) => v;
  const parts = [0, ...(app.frame.valid ? [1] : [])];
  const values = rows.flatMap((row) => parts.flatMap((p) => row[name][p])).filter((v) => v !== null).map(scale);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (!log) [low, high] = [Math.min(low, 0.9), 1.005];
  if (high - low < 0.3 && log) [low, high] = [low - 0.15, high + 0.15];
  const [left, bottom] = [40 * palette.unit, 18 * palette.unit];
  const span = Math.max(1, rows.at(-1).step - rows[0].step);
  const x = (step) => left + ((w - left - 4) * (step - rows[0].step)) / span;
  const y = (v) => 6 + ((h - bottom - 6) * (high - scale(v))) / (high - low);
  const ticks = log ? ticksWithin(low, high) : [0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1].filter((v) => v >= low && v <= high);
  axes(g, w, left, ticks, y);
  g.textBaseline = "alphabetic";
  g.fillText(rows.at(-1).step.toLocaleString("en") + " updates", w - 4, h - 4);
  g.textAlign = "left";
  g.fillText(rows[0].step.toLocaleString("en"), left, h - 4);
  for (const p of [...parts].reverse()) curve(g, rows.map((row) => [x(row.step), ...row[name][p].map((v) => y(v ?? 0))]), p);
  const last = rows.at(-1)[name];
  canvas.setAttribute("aria-label", `${log ? "Loss" : "Accuracy"}: training ${num(last[0][1])}` + (app.frame.valid ? `, validation ${num(last[1][1])}` : ""));
}

function axes(g, w, left, ticks, y) {
  g.font = font(11);
  g.fillStyle = css(palette.soft);
  g.strokeStyle = css(palette.line);
  g.lineWidth = 1;
  g.textAlign = "right";
  g.textBaseline = "middle";
  let before = Infinity;
  for (const tick of ticks) {
    const at = Math.round(y(tick)) + 0.5;
    if (Math.abs(before - at) < 13 * palette.unit) continue;
    before = at;
    g.beginPath();
    g.moveTo(left, at);
    g.lineTo(w, at);
    g.stroke();
    g.fillText(tick < 0.001 && tick > 0 ? tick.toExponential(0) : String(tick), left - 5, at);
  }
}

function curve(g, points, part) {
  const colour = css(part ? palette.accent : palette.ink);
  g.fillStyle = g.strokeStyle = colour;
  g.globalAlpha = part ? 0.2 : 0.13;
  g.beginPath();
  points.forEach((p, i) => g[i ? "lineTo" : "moveTo"](p[0], p[3]));
  [...points].reverse().forEach((p) => g.lineTo(p[0], p[1]));
  g.fill();
  g.globalAlpha = 1;
  g.setLineDash(part ? [5, 3] : []);
  g.lineWidth = 1.8;
  g.lineJoin = "round";
  g.beginPath();
  points.forEach((p, i) => g[i ? "lineTo" : "moveTo"](p[0], p[2]));
  g.stroke();
  g.setLineDash([]);
}

export function drawLegend() {
  const last = app.history.at(-1)?.[app.curve];
  if (!last) return;
  const { frame } = app;
  const text = (p) => (app.curve === "loss" ? num(last[p][1]) : last[p][1] === null ? "–" : (100 * last[p][1]).toFixed(1) + " %");
  document.getElementById("l-train").textContent = text(0);
  document.getElementById("l-valid").textContent = text(1);
  document.getElementById("l-test").textContent = text(2);
  document.getElementById("l-valid-all").hidden = !frame.valid;
  document.getElementById("l-test-all").hidden = frame.n <= frame.train + frame.valid;
}

export function drawLayers() {
  const canvas = document.getElementById("layer-plot");
  const [g, w, h] = fitted(canvas);
  if (!fits()) return;
  if (app.layerView === "norms") drawNorms(g, w, h, canvas);
  else drawHistograms(g, w, h, canvas);
}

const shortNames = () => names().map((name, l) => (name === "output" ? "out" : String(l + 1)));

// The norm of the gradient of each layer's weights: a band over the networks, and this one's.
function drawNorms(g, w, h, canvas) {
  const { frame } = app;
  const n = frame.finite.length;
  const rows = names().map((_, l) => [...frame.norms.subarray(l * n, l * n + n)].map((v) => (frame.finite[app.member] || v ? v : NaN)));
  const bands = rows.map((row) => quantiles(row.filter((_, i) => frame.finite[i])));
  const all = bands.flat().concat(rows.map((row) => row[app.member])).filter((v) => v > 0).map(Math.log10);
  if (!all.length) return;
  const low = Math.min(Math.floor(Math.min(...all)), -2);
  const high = Math.max(Math.ceil(Math.max(...all)), 0);
  const [left, bottom] = [40 * palette.unit, 18 * palette.unit];
  const y = (v) => 6 + ((h - bottom - 6) * (high - Math.log10(Math.max(v, 10 ** low)))) / (high - low);
  axes(g, w, left, Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)), y);
  const step = (w - left) / rows.length;
  shortNames().forEach((name, l) => {
    const x = left + step * (l + 0.5);
    const wide = Math.min(34, step * 0.6);
    const [a, b, c] = bands[l];
    g.fillStyle = css(palette.accent);
    g.globalAlpha = 0.3;
    if (a !== null) g.fillRect(x - wide / 2, y(c), wide, Math.max(1, y(a) - y(c)));
    g.globalAlpha = 1;
    if (b !== null) g.fillRect(x - wide / 2, y(b) - 1.2, wide, 2.4);
    const own = rows[l][app.member];
    if (Number.isFinite(own)) {
      g.fillStyle = css(palette.ink);
      g.beginPath();
      g.arc(x, y(own), 3.2, 0, 7);
      g.fill();
    }
    g.fillStyle = css(palette.soft);
    g.textAlign = "center";
    g.fillText(name, x, h - 7);
  });
  document.getElementById("layer-hint").textContent = "Norm of the gradient of each layer's weights: band and line over the networks, dot for the one drawn.";
  canvas.setAttribute("aria-label", "Norms of the gradients, layer by layer: " + bands.map((b, l) => `${shortNames()[l]} ${num(b[1])}`).join(", "));
}

// A histogram of the weights of each layer of the network that is drawn.
function drawHistograms(g, w, h, canvas) {
  const layers = names().map((name) => [...app.frame[name + ".weight"]].filter(Number.isFinite));
  const most = Math.max(0.5, ...layers.flat().map(Math.abs));
  const bins = layers.length > 5 ? 11 : 21;
  const step = w / layers.length;
  g.font = font(11);
  g.textAlign = "center";
  layers.forEach((values, l) => {
    const counts = new Array(bins).fill(0);
    for (const v of values) counts[Math.min(bins - 1, Math.floor(((v / most + 1) / 2) * bins))]++;
    const top = Math.max(1, ...counts);
    const wide = (step - 14) / bins;
    counts.forEach((count, i) => {
      const v = (i + 0.5) / bins - 0.5;
      g.fillStyle = css(Math.abs(v) < 0.5 / bins ? palette.soft : v < 0 ? palette.negative : palette.positive);
      const high = (count / top) * (h - 38);
      g.fillRect(l * step + 7 + i * wide, h - 32 - high, Math.max(1, wide - 1), high);
    });
    g.fillStyle = css(palette.line);
    g.fillRect(l * step + 7, h - 32, step - 14, 1);
    g.fillStyle = css(palette.soft);
    g.fillText(shortNames()[l], (l + 0.5) * step, h - 4);
    if (step > 60) g.fillText(`±${num(most)}`, (l + 0.5) * step, h - 18);
  });
  document.getElementById("layer-hint").textContent = `Weights of network ${app.member + 1}, layer by layer, from −${num(most)} to ${num(most)}.`;
  canvas.setAttribute("aria-label", "Histogram of the weights, layer by layer: " + layers.map((v, l) => `${shortNames()[l]}: ${v.length} weights`).join(", "));
}
