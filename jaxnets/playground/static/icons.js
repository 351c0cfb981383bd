// Pictures of the problems, drawn by the page: a fixed handful of points each.
import schema from "./schema.js";
import { css, marker, palette, tile } from "./colours.js";

// A canvas for the picture of a problem; `paintIcons` draws it in the colours of the theme.
export function picture(name) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 72, height: 72, className: "icon" });
  canvas.dataset.icon = name;
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}

export function paintIcons() {
  for (const canvas of document.querySelectorAll(".icon")) icon(canvas, canvas.dataset.icon);
}

function icon(canvas, name) {
  const g = canvas.getContext("2d");
  g.fillStyle = css(palette.middle);
  g.fillRect(0, 0, 72, 72);
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const dot = (x, y, k) => {
    marker(g, k, 36 + 29 * x, 36 - 29 * y, 3.2);
    g.fillStyle = css(palette.classes[k]);
    g.fill();
  };
  if (name === "own") return cross(g);
  if (schema.kinds[name] === "curve") return line(g, name);
  if (schema.kinds[name] === "surface") return surface(g, name);
  for (let i = 0; i < 46; i++) ICONS[name]?.(dot, i % 2, random(), 2 * random() - 1, 2 * random() - 1);
}

const ICONS = {
  spirals: (dot, k, t) => {
    const [r, a] = [0.1 + 0.9 * t, 9.4 * (0.1 + 0.9 * t)];
    dot((k ? -r : r) * Math.cos(a), (k ? -r : r) * Math.sin(a), k);
  },
  circles: (dot, k, t) => dot((k ? 0.45 : 0.95) * Math.cos(6.28 * t), (k ? 0.45 : 0.95) * Math.sin(6.28 * t), k),
  two_moons: (dot, k, t) => (k ? dot(0.3 - 0.62 * Math.cos(3.14 * t), 0.25 - 0.6 * Math.sin(3.14 * t), 1) : dot(0.62 * Math.cos(3.14 * t) - 0.3, 0.6 * Math.sin(3.14 * t) - 0.2, 0)),
  xor: (dot, k, t, u, v) => dot((u > 0 ? 0.6 : -0.6) + 0.25 * (t - 0.5), (v > 0 ? 0.6 : -0.6) + 0.3 * (t - 0.5), Number(u > 0 !== v > 0)),
  checkerboard: (dot, k, t, u, v) => dot(u, v, (Math.floor(2 * u + 2) + Math.floor(2 * v + 2)) % 2),
  rosenbrock_region: (dot, k, t, u, v) => (k ? dot(1.5 * t - 0.75, 1.8 * (1.5 * t - 0.75) ** 2 - 0.8 + 0.06 * v, 1) : dot(u, v, 0)),
  random_points: (dot, k, t, u, v) => dot(u, v, Math.floor(3 * t)),
  arms: (dot, k, t, u) => {
    const arm = Math.floor(1.5 * (u + 1));
    const a = 2.5 * t + (6.28 * arm) / 3;
    dot((0.1 + 0.9 * t) * Math.cos(a), (0.1 + 0.9 * t) * Math.sin(a), arm);
  },
};

function cross(g) {
  g.strokeStyle = css(palette.ink);
  g.lineWidth = 5;
  g.lineCap = "round";
  g.beginPath();
  g.moveTo(36, 20); g.lineTo(36, 52); g.moveTo(20, 36); g.lineTo(52, 36);
  g.stroke();
}

function line(g, name) {
  g.strokeStyle = css(palette.positive);
  g.lineWidth = 4;
  g.beginPath();
  for (let i = 0; i <= 60; i++) {
    const x = i / 30 - 1;
    const y = name === "sine" ? 0.8 * Math.sin(6.28 * x) : Math.floor(2 * x - 1e-9) / 2 + 0.25;
    g[i ? "lineTo" : "moveTo"](36 + 28 * x, 36 - 26 * y);
  }
  g.stroke();
}

function surface(g, name) {
  const t = tile(24);
  for (let i = 0; i < 576; i++) {
    const [a, b] = [((i % 24) + 0.5) / 12 - 1, 1 - (Math.floor(i / 24) + 0.5) / 12];
    const v = name === "waves" ? 0.9 * Math.sin(Math.PI * a) * Math.cos(Math.PI * b) : (100 * (b - a * a) ** 2 + (1 - a) ** 2) / 202 - 1;
    t.words[i] = palette.signed[Math.max(0, Math.min(255, Math.round(127.5 + 110 * v)))];
  }
  t.put();
  g.drawImage(t.canvas, 0, 0, 72, 72);
}
