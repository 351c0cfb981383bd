// Sharing: the link, Python, a page that works from the disk, pictures as SVG, weights.
import schema from "./schema.js";
import { css, marker, palette } from "./colours.js";
import { toAddress } from "./config.js";
import { ask, fail, post } from "./link.js";
import { columns, ends } from "./network.js";
import { contour, toPixel } from "./plane.js";
import { app, names, saved, weight } from "./state.js";
import { rateOf } from "./story.js";

const $ = (id) => document.getElementById(id);
const MODULES = [
  "schema", "config", "state", "link", "colours", "numbers", "plane", "network", "charts", "passes", "walk", "story", "points", "icons",
  "controls", "share", "main",
];

function flash(button, text) {
  const before = button.dataset.text ?? button.textContent;
  button.dataset.text = before;
  button.textContent = text;
  $("say").textContent = text;
  setTimeout(() => (button.textContent = before), 1400);
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    flash(button, "Copied");
  } catch {
    download("text.txt", text, "text/plain");
    flash(button, "Saved");
  }
}

export function download(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// What is saved or copied are the networks of the frame, so it has to be of what the controls say.
const attempt = (work) => async (event) => {
  try {
    if (!saved && app.frame?.config !== app.config) throw Error("The networks are not drawn yet: wait until they are compiled.");
    await work(event);
    fail("");
  } catch (error) {
    fail(error.message);
  }
};
const base64 = (bytes) => {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
};
const decoded = (buffer) => new TextDecoder().decode(buffer);
// Text within a script element cannot end it.
const inScript = (text) => text.replace(/</g, "\\u003c");

// The page with its modules and state inside: it needs no server and asks for nothing.
async function savedPage() {
  const walk = JSON.parse(decoded(await post("passes", { member: app.member, sample: app.sample })));
  const state = {
    config: app.config, member: app.member, view: app.view, history: app.history, sample: app.sample,
    frame: base64(new Uint8Array(app.frame.raw)), x: [...app.x], y: [...app.y], rate: rateOf(),
    params: walk.params, optimizer: walk.optimizer,
  };
  const texts = await Promise.all(["style.css", "", ...MODULES.map((name) => name + ".js")].map(async (name) => (await fetch("./" + name)).text()));
  const [style, page, ...modules] = texts;
  const imports = Object.fromEntries(modules.map((text, i) => [
    MODULES[i], "data:text/javascript;base64," + base64(new TextEncoder().encode(text.replace(/(from|import) "\.\/(\w+)\.js"/g, '$1 "$2"'))),
  ]));
  return page
    .replace('<link rel="stylesheet" href="style.css">', () => `<style>${style}</style>`)
    .replace('<script type="module" src="main.js"></script>', () =>
      `<script type="importmap">${inScript(JSON.stringify({ imports }))}</script>` +
      `<script type="application/json" id="saved">${inScript(JSON.stringify(state))}</script>` +
      '<script type="module">import "main";</script>');
}

const number = (v) => Number(v.toFixed(2));
const svg = (w, h, body) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${number(w)} ${number(h)}" width="${number(w)}" height="${number(h)}">${body}</svg>\n`;

export function networkSvg() {
  const [w, h] = [$("graph").clientWidth, $("graph").clientHeight];
  let most = 0.8;
  names().forEach((_, l) => columns[l + 1].forEach((_, o) => columns[l].forEach((_, i) => (most = Math.max(most, Math.abs(weight(l, o, i)) || 0)))));
  let body = `<rect width="100%" height="100%" fill="${css(palette.panel)}"/>`;
  for (let l = 0; l + 1 < columns.length; l++) {
    columns[l + 1].forEach((b, o) => columns[l].forEach((a, i) => {
      const v = weight(l, o, i);
      const q = Math.min(1, Math.abs(v) / most) || 0;
      const [x1, y1, x2, y2] = ends(a, b).map(number);
      const middle = number((x1 + x2) / 2);
      body += `<path d="M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}" fill="none" stroke="${css(v < 0 ? palette.negative : palette.positive)}" stroke-width="${number(0.6 + 5 * q)}" stroke-opacity="${number(0.12 + 0.88 * Math.min(1, 1.4 * q))}"><title>${v.toPrecision(4)}</title></path>`;
    }));
  }
  const source = $("graph");
  const scale = source.width / w;
  for (const p of columns.flat()) {
    const picture = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
    picture.getContext("2d").drawImage(source, (p.x - p.size / 2) * scale, (p.y - p.size / 2) * scale, p.size * scale, p.size * scale, 0, 0, 64, 64);
    body += `<image x="${number(p.x - p.size / 2)}" y="${number(p.y - p.size / 2)}" width="${number(p.size)}" height="${number(p.size)}" href="${picture.toDataURL()}"/>`;
  }
  return svg(w, h, body);
}

// A context that writes paths instead of drawing them.
function recorder() {
  let d = "";
  const put = (letter) => (x, y) => (d += `${letter}${number(x)} ${number(y)}`);
  return {
    beginPath: () => (d = ""), moveTo: put("M"), lineTo: put("L"), stroke() {}, closePath: () => (d += "Z"),
    rect: (x, y, w, h) => (d += `M${number(x)} ${number(y)}h${number(w)}v${number(h)}h${number(-w)}Z`),
    arc: (x, y, r) => (d += `M${number(x - r)} ${number(y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`),
    path: () => d,
  };
}

export function planeSvg() {
  const w = 480;
  const picture = Object.assign(document.createElement("canvas"), { width: w, height: w });
  picture.getContext("2d").drawImage($("plot"), 0, 0, w, w);
  let body = `<image width="${w}" height="${w}" href="${picture.toDataURL()}"/>`;
  const g = recorder();
  const { frame } = app;
  if (frame.kind === "binary") {
    contour(g, (app.view === "mine" ? frame.mine : frame.mean).subarray(0, schema.grid ** 2), schema.grid, w, w);
    body += `<path d="${g.path()}" fill="none" stroke="${css(palette.ink)}" stroke-width="2"/>`;
  }
  const labelled = frame.kind === "binary" || frame.kind === "classes";
  for (let i = 0; i < frame.n; i++) {
    const [x, y] = toPixel([app.x[2 * i], frame.kind === "curve" ? app.y[i] : app.x[2 * i + 1]], w, w);
    const label = labelled ? app.y[i] : 1;
    g.beginPath();
    marker(g, label, x, y, 5);
    const colour = labelled ? css(palette.classes[label]) : css(palette.ink);
    body += `<path d="${g.path()}" fill="${i < frame.train ? colour : "none"}" stroke="${i < frame.train ? css(palette.panel) : colour}"/>`;
  }
  return svg(w, w, body);
}

async function upload(event) {
  const file = event.target.files[0];
  if (!file) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  event.target.value = "";
  if (file.name.endsWith(".npz")) await post("load", { npz: base64(bytes) });
  else {
    let found;
    try {
      found = JSON.parse(decoded(bytes));
    } catch {
      throw Error("The file is not JSON.");
    }
    await post("load", { params: found.params ?? found });
  }
  ask();
  $("say").textContent = "Weights loaded.";
}

export function buildShare() {
  $("link").onclick = (event) => copy(event.target, location.href);
  $("code").onclick = attempt(async (event) => copy(event.target, decoded(await post("python", {}))));
  $("save").onclick = attempt(async () => download("playground.html", await savedPage(), "text/html"));
  $("svg-net").onclick = attempt(() => download("network.svg", networkSvg(), "image/svg+xml"));
  $("svg-plane").onclick = attempt(() => download("plane.svg", planeSvg(), "image/svg+xml"));
  $("npz").onclick = attempt(async () => download("weights.npz", await post("weights", { format: "npz" }), "application/zip"));
  $("json").onclick = attempt(async () => download("weights.json", await post("weights", { format: "json" }), "application/json"));
  $("upload").onchange = attempt(upload);
  if (saved) $("again").textContent = `python -m jaxnets.playground '${toAddress(app.config)}'`;
}
