// The plane: what the networks answer, their boundaries, and the points.
import schema from "./schema.js";
import { css, FADES, fitted, marker, palette, tile } from "./colours.js";
import { outputsOf } from "./config.js";
import { app } from "./state.js";

const G = schema.grid;
const N = schema.small;
const EDGE = schema.edge;
const canvas = document.getElementById("plot");
export const toPixel = ([a, b], w, h) => [((a + EDGE) / (2 * EDGE)) * w, h - ((b + EDGE) / (2 * EDGE)) * h];
export const fromPixel = (px, py, w, h) => [-EDGE + (px / w) * 2 * EDGE, -EDGE + (1 - py / h) * 2 * EDGE];
const classesOf = (frame) => frame.mine.length / (G * G);

export function drawPlane() {
  const [g, w, h] = fitted(canvas);
  if (!app.frame) return;
  canvas.setAttribute("aria-label", described());
  if (app.frame.kind === "curve") drawCurve(g, w, h);
  else drawMap(g, w, h);
  drawPoints(g, w, h);
  drawMarks(g, w, h);
  drawKey();
}

function drawMap(g, w, h) {
  const frame = app.frame;
  const t = tile(G);
  const colour = colourOf(frame);
  for (let i = 0; i < G * G; i++) t.words[i] = colour(i);
  t.put();
  g.imageSmoothingEnabled = true;
  g.imageSmoothingQuality = "high";
  g.drawImage(t.canvas, 0, 0, w, h);
  if (!frame.finite[app.member] && app.view === "mine") return;
  if (document.getElementById("lines").checked && app.view !== "mine") {
    const count = frame.lines.length / (N * N);
    g.lineWidth = 1;
    g.strokeStyle = css(palette.ink);
    g.globalAlpha = count > 1 ? 0.34 : 0.8;
    for (let m = 0; m < count; m++) if (frame.finite[m]) boundary(g, frame.lines.subarray(m * N * N, (m + 1) * N * N), N, w, h);
    g.globalAlpha = 1;
  }
  g.lineWidth = 2;
  g.strokeStyle = css(palette.ink);
  const shown = app.view === "mine" ? frame.mine : frame.mean;
  if (classesOf(frame) === 1) contour(g, shown.subarray(0, G * G), G, w, h);
  else for (let c = 0; c < classesOf(frame); c++) contour(g, lead(shown, c), G, w, h);
}

function colourOf(frame) {
  const shown = app.view === "mine" ? frame.mine : frame.mean;
  const fade = (i) => (app.view === "mean" ? frame.std[i] >> 3 : 0);
  if (app.view === "std") return (i) => palette.spread[frame.std[i]];
  const k = classesOf(frame);
  if (k === 1) return (i) => palette.faded[fade(i)][shown[i]];
  return (i) => {
    let best = 0;
    for (let c = 1; c < k; c++) if (shown[c * G * G + i] > shown[best * G * G + i]) best = c;
    const sure = (shown[best * G * G + i] / 255 - 1 / k) / (1 - 1 / k);
    return palette.class(best, Math.max(0.08, sure) * (1 - 0.9 * Math.min(1, fade(i) / (FADES - 1))));
  };
}

// How far a class leads all others, from 0 to 255, one half where it is level with the next.
function lead(shown, c) {
  const k = shown.length / (G * G);
  return Float32Array.from({ length: G * G }, (_, i) => {
    let other = 0;
    for (let d = 0; d < k; d++) if (d !== c) other = Math.max(other, shown[d * G * G + i]);
    return 127.5 + (shown[c * G * G + i] - other) / 2;
  });
}

// Boundaries of a network: a contour at one half, or round the pixels of each class, smoothed.
function boundary(g, values, n, w, h) {
  if (classesOf(app.frame) === 1) return contour(g, values, n, w, h);
  for (const c of new Set(values)) contour(g, smooth(values, c, n), n, w, h);
  return undefined;
}

// The share of the pixels around each pixel that have a value, from 0 to 255.
function smooth(values, c, n) {
  return Float32Array.from({ length: n * n }, (_, k) => {
    const [x, y] = [k % n, Math.floor(k / n)];
    let [sum, count] = [0, 0];
    for (let j = Math.max(0, y - 1); j <= Math.min(n - 1, y + 1); j++) {
      for (let i = Math.max(0, x - 1); i <= Math.min(n - 1, x + 1); i++) {
        sum += values[j * n + i] === c;
        count++;
      }
    }
    return (255 * sum) / count;
  });
}

// Marching squares at the level one half.
export function contour(g, a, n, w, h) {
  const [c, d, level] = [w / n, h / n, 127.5];
  g.beginPath();
  for (let j = 0; j < n - 1; j++) {
    for (let i = 0; i < n - 1; i++) {
      const k = j * n + i;
      const v = [a[k] - level, a[k + 1] - level, a[k + n + 1] - level, a[k + n] - level];
      const above = v.filter((value) => value > 0).length;
      if (above === 0 || above === 4) continue;
      const [x, y] = [(i + 0.5) * c, (j + 0.5) * d];
      const edges = [
        [x + (c * v[0]) / (v[0] - v[1]), y], [x + c, y + (d * v[1]) / (v[1] - v[2])],
        [x + (c * v[3]) / (v[3] - v[2]), y + d], [x, y + (d * v[0]) / (v[0] - v[3])],
      ];
      const cut = edges.filter((_, q) => v[q] > 0 !== v[(q + 1) % 4] > 0);
      for (let q = 0; q + 1 < cut.length; q += 2) {
        g.moveTo(...cut[q]);
        g.lineTo(...cut[q + 1]);
      }
    }
  }
  g.stroke();
}

// A curve: the mean with its band, and each network as a line.
function drawCurve(g, w, h) {
  const { frame } = app;
  const x = (i, n) => ((i + 0.5) / n) * w;
  const y = (byte) => h - (byte / 255) * h;
  g.fillStyle = css(palette.middle);
  g.fillRect(0, 0, w, h);
  g.strokeStyle = css(palette.line);
  g.lineWidth = 1;
  g.beginPath();
  for (const v of [-1, -0.5, 0, 0.5, 1]) {
    const [px, py] = toPixel([v, v], w, h);
    g.moveTo(px, 0); g.lineTo(px, h); g.moveTo(0, py); g.lineTo(w, py);
  }
  g.stroke();
  const line = (values, n) => {
    g.beginPath();
    for (let i = 0; i < n; i++) g[i ? "lineTo" : "moveTo"](x(i, n), y(values[i]));
    g.stroke();
  };
  if (app.view !== "mine") {
    g.fillStyle = css(palette.delta);
    g.globalAlpha = app.view === "std" ? 0.5 : 0.22;
    g.beginPath();
    for (let i = 0; i < G; i++) g[i ? "lineTo" : "moveTo"](x(i, G), y(frame.mean[i] + frame.std[i] / 2));
    for (let i = G - 1; i >= 0; i--) g.lineTo(x(i, G), y(frame.mean[i] - frame.std[i] / 2));
    g.fill();
    if (document.getElementById("lines").checked) {
      g.globalAlpha = 0.4;
      g.strokeStyle = css(palette.ink);
      for (let m = 0; m < frame.lines.length / (N * N); m++) if (frame.finite[m]) line(frame.lines.subarray(m * N * N), N);
    }
    g.globalAlpha = 1;
  }
  g.lineWidth = 2.5;
  g.strokeStyle = css(palette.positive);
  line(app.view === "mine" ? frame.mine : frame.mean, G);
}

const heightByte = (y) => Math.max(0, Math.min(255, Math.round(255 * (0.5 + y / (2 * schema.height)))));
const hex = (word) => css([word & 255, (word >> 8) & 255, (word >> 16) & 255]);

function drawPoints(g, w, h) {
  const { frame, x, y } = app;
  const r = Math.max(3, w / 96);
  for (let i = 0; i < frame.n; i++) {
    const at = frame.kind === "curve" ? [x[2 * i], y[i]] : [x[2 * i], x[2 * i + 1]];
    const [px, py] = toPixel(at, w, h);
    const label = frame.kind === "binary" || frame.kind === "classes" ? y[i] : 1;
    const colour = frame.kind === "surface" ? hex(palette.signed[heightByte(y[i])]) : frame.kind === "curve" ? css(palette.ink) : css(palette.classes[label]);
    const training = i < frame.train;
    marker(g, label, px, py, training ? r : r * 0.85);
    g.fillStyle = colour;
    if (training) g.fill();
    g.strokeStyle = css(palette.panel);
    g.lineWidth = training ? 1.1 : 3.2;
    g.stroke();
    if (training) continue;
    if (i >= frame.train + frame.valid) g.setLineDash([2, 1.5]);
    g.strokeStyle = frame.kind === "surface" ? css(palette.ink) : colour;
    g.lineWidth = 1.4;
    g.stroke();
    g.setLineDash([]);
  }
}

function drawMarks(g, w, h) {
  if (app.walk && app.x) {
    const i = app.sample;
    const [px, py] = toPixel([app.x[2 * i], app.frame.kind === "curve" ? app.y[i] : app.x[2 * i + 1]], w, h);
    g.beginPath();
    g.arc(px, py, Math.max(8, w / 40), 0, 7);
    g.strokeStyle = css(palette.delta);
    g.lineWidth = 3;
    g.stroke();
  }
  if (app.cursor && document.activeElement === canvas) {
    const [px, py] = toPixel(app.cursor, w, h);
    g.strokeStyle = css(palette.ink);
    g.lineWidth = 1.5;
    g.beginPath();
    g.moveTo(px - 10, py); g.lineTo(px + 10, py); g.moveTo(px, py - 10); g.lineTo(px, py + 10);
    g.stroke();
  }
}

const ENDS = { binary: ["class 0", "class 1"], surface: ["−1.25", "1.25"] };

function keyText() {
  const { frame, view, member, config } = app;
  const rest = [frame.valid && "hollow ones validate", frame.n > frame.train + frame.valid && "dashed ones test"].filter(Boolean);
  const points = `Filled points train${rest.length ? ", " + rest.join(", ") : ""}.`;
  if (view === "mine") return `Network ${member + 1} alone. ${points}`;
  if (frame.kind === "curve") return `Line: mean of the networks. Band: one standard deviation. ${points}`;
  if (view === "std") return `Standard deviation over the ${config.networks} networks. ${points}`;
  return `Faint where the networks disagree. ${points}`;
}

function drawKey() {
  const key = document.getElementById("key");
  const g = key.getContext("2d");
  const image = g.createImageData(110, 26);
  const words = new Uint32Array(image.data.buffer);
  const k = outputsOf(app.config);
  for (let y = 0; y < 26; y++) {
    for (let x = 0; x < 110; x++) {
      const fade = app.view === "mean" ? Math.round((y / 25) * (FADES - 1)) : 0;
      if (app.view === "std") words[y * 110 + x] = palette.spread[Math.round((x / 109) * 255)];
      else if (k > 1) words[y * 110 + x] = palette.class(Math.floor((x / 110) * k), 1 - 0.9 * (fade / (FADES - 1)));
      else words[y * 110 + x] = palette.faded[fade][Math.round((x / 109) * 255)];
    }
  }
  g.putImageData(image, 0, 0);
  const [low, high] = app.view === "std" ? ["agree", "disagree"] : ENDS[app.frame.kind] ?? ["class 0", `class ${k - 1}`];
  document.getElementById("key-low").textContent = low;
  document.getElementById("key-high").textContent = high;
  document.getElementById("key-text").textContent = keyText();
  document.getElementById("lines").disabled = app.view === "mine";
  document.getElementById("scale").hidden = app.frame.kind === "curve";
}

// The picture in a sentence.
function described() {
  const { frame, config } = app;
  const many = config.networks > 1 ? `${config.networks} networks` : "One network";
  return `${many} on ${config.problem.replace(/_/g, " ")} after ${frame.step} updates, ${frame.n} points. ` +
    "With the focus here, arrow keys move a cross and the keys 0 to 5 set a point of that class.";
}
