// One sample through one network, number by number: the order of the steps, and the numbers drawn.
import { css, font, palette, signOf } from "./colours.js";
import { outputsOf } from "./config.js";
import { num } from "./numbers.js";
import { app, names, saved, sizes } from "./state.js";

// The numbers of the walk, cut to the units that there are.
export function numbers() {
  const pass = app.walk?.pass;
  if (!pass) return null;
  if (!pass.cut) {
    if (!saved) pass.x[0] = pass.columns.map((i) => pass.x[0][i]);
    const counts = sizes();
    for (let l = 0; l + 1 < counts.length; l++) {
      pass.x[l] = pass.x[l].slice(0, counts[l]);
      for (const key of ["s", "h", "slope"]) if (pass[key][l]) pass[key][l] = pass[key][l].slice(0, counts[l + 1]);
    }
    pass.cut = true;
  }
  const known = names();
  return Object.keys(pass.params).length === known.length ? pass : null;
}

// Forward unit by unit, the loss, backward from the outputs, then each unit's weights.
export function steps() {
  const counts = sizes();
  const last = counts.length - 2;
  const units = (l) => Array.from({ length: counts[l + 1] }, (_, u) => u);
  const layers = Array.from({ length: last + 1 }, (_, l) => l);
  const of = (phase, order) => order.flatMap((l) => units(l).map((u) => ({ phase, l, u })));
  return [...of("forward", layers), { phase: "loss", l: -9, u: 0 }, ...of("backward", [...layers].reverse()), ...of("update", [...layers].reverse())];
}

export function stepOf() {
  return numbers() ? steps()[app.walk.at] : null;
}

export const deltaOf = (l, u) => numbers().grads[names()[l]].bias[u];

let taken = [];

// A number in a pill; those drawn are noted, so that others keep clear of them.
function pill(g, text, x, y, colour, solid) {
  const [w, h] = sizeOf(g, text);
  taken.push([x, y, w, h]);
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.beginPath();
  g.roundRect(x - w / 2, y - h / 2, w, h, h / 2);
  g.fillStyle = css(solid ? colour : palette.panel);
  g.fill();
  g.strokeStyle = css(colour);
  g.lineWidth = 1;
  g.stroke();
  g.fillStyle = css(solid ? palette.panel : colour);
  g.fillText(text, x, y + 0.5);
}

function sizeOf(g, text) {
  g.font = `600 ${font(11, 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace')}`;
  return [g.measureText(text).width + 9 * palette.unit, 16 * palette.unit];
}

// Values below the units, deltas above, and the weights of the step on their links.
export function drawNumbers(g, columns) {
  const pass = numbers();
  const all = steps();
  const [now, current] = [app.walk.at, all[app.walk.at]];
  const many = Math.max(...sizes()) > 8;
  const sign = columns[1][0].x - columns[0][0].x > 110 ? "δ " : "";
  const at = new Map(all.map((s, i) => [`${s.phase},${s.l},${s.u}`, i]));
  taken = [];
  columns.forEach((column, l) => column.forEach((p, i) => {
    if (many && !(current.l === l - 1 && current.u === i)) return;
    const [above, below] = [p.y - p.size / 2 - 8.5 * palette.unit, p.y + p.size / 2 + 9 * palette.unit];
    if (l === 0) return pill(g, num(pass.x[0][i]), p.x, below, palette.accent);
    const [forward, backward] = [at.get(`forward,${l - 1},${i}`), at.get(`backward,${l - 1},${i}`)];
    const last = l === columns.length - 1;
    if (forward <= now) pill(g, num(last ? pass.s[l - 1][i] : pass.h[l - 1][i]), p.x, below, palette.accent, forward === now);
    if (backward <= now) pill(g, sign + num(deltaOf(l - 1, i)), p.x, above, palette.delta, backward === now);
  }));
  if (!many) onLinks(g, columns, current, pass);
}

function onLinks(g, columns, { phase, l, u }, pass) {
  const layer = pass.params[names()[l]];
  if (phase === "forward") columns[l].forEach((p, i) => onLink(g, p, columns[l + 1][u], layer.weight[u][i], signOf(layer.weight[u][i])));
  if (phase === "update") {
    const grads = pass.grads[names()[l]].weight[u];
    columns[l].forEach((p, i) => onLink(g, p, columns[l + 1][u], grads[i], palette.delta));
  }
  if (phase === "backward" && l < columns.length - 2) {
    const next = pass.params[names()[l + 1]].weight;
    columns[l + 2].forEach((q, o) => onLink(g, columns[l + 1][u], q, next[o][u], signOf(next[o][u])));
  }
}

const PLACES = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82];
// A number lies on its link where it hides the least of the others.
function onLink(g, p, q, value, colour) {
  const [x1, x2] = [p.x + p.size / 2, q.x - q.size / 2];
  const [w, h] = sizeOf(g, num(value));
  const hidden = ([x, y]) => taken.reduce((sum, [a, b, c, d]) => sum + Math.max(0, (w + c) / 2 + 2 - Math.abs(x - a)) * Math.max(0, (h + d) / 2 + 2 - Math.abs(y - b)), 0);
  const spots = PLACES.map((t) => [x1 + (x2 - x1) * t, p.y + (q.y - p.y) * (3 * t * t - 2 * t * t * t)]);
  const best = spots.reduce((a, b) => (hidden(b) < hidden(a) ? b : a));
  pill(g, num(value), ...best, colour);
}

export function stepTo(at) {
  if (!numbers()) return false;
  app.walk.at = Math.max(0, Math.min(steps().length - 1, at));
  return true;
}

export const isClassifier = () => outputsOf(app.config) > 1 || ["cross_entropy", "hinge"].includes(app.config.loss);
