// One sample through one network, number by number: the order of the steps, and the numbers drawn.
import { css, palette, signOf } from "./colours.js";
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

export function pill(g, text, x, y, colour, solid) {
  g.font = '600 11px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';
  g.textAlign = "center";
  g.textBaseline = "middle";
  const w = g.measureText(text).width + 9;
  g.beginPath();
  g.roundRect(x - w / 2, y - 8, w, 16, 8);
  g.fillStyle = css(solid ? colour : palette.panel);
  g.globalAlpha = solid ? 1 : 0.94;
  g.fill();
  g.globalAlpha = 1;
  g.strokeStyle = css(colour);
  g.lineWidth = 1;
  g.stroke();
  g.fillStyle = css(solid ? palette.panel : colour);
  g.fillText(text, x, y + 0.5);
}

// Values below the units, deltas above, and the weights of the step on their links.
export function drawNumbers(g, columns) {
  const pass = numbers();
  const all = steps();
  const [now, current] = [app.walk.at, all[app.walk.at]];
  const many = Math.max(...sizes()) > 8;
  const at = new Map(all.map((s, i) => [`${s.phase},${s.l},${s.u}`, i]));
  columns.forEach((column, l) => column.forEach((p, i) => {
    if (many && !(current.l === l - 1 && current.u === i)) return;
    if (l === 0) return pill(g, num(pass.x[0][i]), p.x, p.y + p.size / 2 + 9, palette.accent);
    const [forward, backward] = [at.get(`forward,${l - 1},${i}`), at.get(`backward,${l - 1},${i}`)];
    const last = l === columns.length - 1;
    if (forward <= now) pill(g, num(last ? pass.s[l - 1][i] : pass.h[l - 1][i]), p.x, p.y + p.size / 2 + 9, palette.accent, forward === now);
    if (backward <= now) pill(g, "δ " + num(deltaOf(l - 1, i)), p.x, p.y - p.size / 2 - 8, palette.delta, backward === now);
  }));
  if (!many) onLinks(g, columns, current, pass);
}

function onLinks(g, columns, { phase, l, u }, pass) {
  const layer = pass.params[names()[l]];
  if (phase === "forward") columns[l].forEach((p, i) => onLink(g, p, columns[l + 1][u], i, columns[l].length, layer.weight[u][i], signOf(layer.weight[u][i])));
  if (phase === "update") {
    const grads = pass.grads[names()[l]].weight[u];
    columns[l].forEach((p, i) => onLink(g, p, columns[l + 1][u], i, columns[l].length, grads[i], palette.delta));
  }
  if (phase === "backward" && l < columns.length - 2) {
    const next = pass.params[names()[l + 1]].weight;
    columns[l + 2].forEach((q, o) => onLink(g, columns[l + 1][u], q, o, columns[l + 2].length, next[o][u], signOf(next[o][u])));
  }
}

// Numbers of neighbouring links lie at different places, so that none hides another.
function onLink(g, p, q, i, n, value, colour) {
  const [x1, x2] = [p.x + p.size / 2, q.x - q.size / 2];
  const t = 0.3 + 0.36 * (n > 1 ? i / (n - 1) : 0.5);
  const s = 3 * t * t - 2 * t * t * t;
  pill(g, num(value), x1 + (x2 - x1) * t, p.y + (q.y - p.y) * s, colour);
}

export function stepTo(at) {
  if (!numbers()) return false;
  app.walk.at = Math.max(0, Math.min(steps().length - 1, at));
  return true;
}

export const isClassifier = () => outputsOf(app.config) > 1 || ["cross_entropy", "hinge"].includes(app.config.loss);
