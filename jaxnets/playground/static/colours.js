// Colours and shapes: blue and orange differ in lightness too, and classes differ in shape.
const root = document.documentElement;
export const css = (c) => `rgb(${c.map(Math.round).join(",")})`;
const mix = (a, b, t) => a.map((v, i) => v + (b[i] - v) * t);
const word = (c) => (255 << 24) | (Math.round(c[2]) << 16) | (Math.round(c[1]) << 8) | Math.round(c[0]);

// Okabe and Ito's colours, in an order whose neighbours differ most.
const LIGHT = [[196, 86, 10], [13, 90, 167], [0, 140, 100], [150, 60, 130], [214, 158, 0], [70, 160, 205]];
const DARK = [[240, 144, 63], [107, 182, 245], [60, 205, 155], [225, 140, 200], [240, 210, 80], [150, 160, 250]];
export const FADES = 32;
export const palette = { classes: LIGHT, signed: null, faded: null, spread: null, unit: 1 };
// Text of so many pixels at the usual size of the page, larger on a large screen.
export const font = (size, family = "system-ui, sans-serif") => `${Math.round(10 * size * palette.unit) / 10}px ${family}`;

export function readColours() {
  const style = getComputedStyle(root);
  const rgb = (name) => {
    const text = style.getPropertyValue("--" + name).trim();
    return [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
  };
  for (const name of ["positive", "negative", "middle", "ink", "soft", "delta", "accent", "panel", "line", "alarm"]) palette[name] = rgb(name);
  palette.classes = root.dataset.theme === "dark" ? DARK : LIGHT;
  const signed = (fade) => Uint32Array.from({ length: 256 }, (_, i) => {
    const t = (i / 255) * 2 - 1;
    return word(mix(palette.middle, t < 0 ? palette.negative : palette.positive, Math.abs(t) ** 0.78 * 0.94 * fade));
  });
  palette.signed = signed(1);
  palette.faded = Array.from({ length: FADES }, (_, u) => signed(1 - 0.94 * Math.min(1, (u / (FADES - 1)) * 1.15) ** 1.1));
  palette.spread = Uint32Array.from({ length: 256 }, (_, i) => word(mix(palette.middle, palette.delta, Math.min(1, (i / 255) * 1.1))));
  palette.class = (k, strength) => word(mix(palette.middle, palette.classes[k], 0.92 * strength));
}

export const signOf = (v) => (v < 0 ? palette.negative : palette.positive);

// A marker for each class: told apart without colour.
export function marker(g, k, x, y, r) {
  g.beginPath();
  if (k === 1) g.arc(x, y, r, 0, 7);
  else if (k === 0) g.rect(x - 0.86 * r, y - 0.86 * r, 1.72 * r, 1.72 * r);
  else polygon(g, x, y, k === 4 ? 1.25 * r : 1.2 * r, { 2: [3, 1], 3: [4, 1], 4: [5, 0.5], 5: [4, 0.42] }[k]);
}

function polygon(g, x, y, r, [corners, inner]) {
  const n = inner < 1 ? 2 * corners : corners;
  for (let i = 0; i < n; i++) {
    const size = i % 2 && inner < 1 ? inner * r : r;
    const a = -Math.PI / 2 + (2 * Math.PI * i) / n;
    g[i ? "lineTo" : "moveTo"](x + size * Math.cos(a), y + size * Math.sin(a));
  }
  g.closePath();
}

const tiles = new Map();
// A small canvas of so many pixels a side, with its words.
export function tile(size) {
  if (!tiles.has(size)) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    const g = canvas.getContext("2d");
    const image = g.createImageData(size, size);
    tiles.set(size, { canvas, words: new Uint32Array(image.data.buffer), put: () => g.putImageData(image, 0, 0) });
  }
  return tiles.get(size);
}

// Fits a canvas to its place, and returns its context and size.
export function fitted(canvas, height) {
  const scale = Math.min(2, devicePixelRatio || 1);
  const width = canvas.clientWidth;
  if (height) canvas.style.height = height + "px";
  const high = height || canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(high * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(high * scale);
  }
  palette.unit = parseFloat(getComputedStyle(root).fontSize) / 16;
  const g = canvas.getContext("2d");
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, width, high);
  return [g, width, high];
}

export function setTheme(name) {
  root.dataset.theme = name;
  readColours();
}
