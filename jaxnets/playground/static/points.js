// Own points: drawn with mouse, finger or keys, pasted, or from a file.
import schema from "./schema.js";
import { css, marker, palette } from "./colours.js";
import { place, unplace } from "./config.js";
import { fail } from "./link.js";
import { fromPixel } from "./plane.js";
import { app, changed, saved, set } from "./state.js";

const plot = document.getElementById("plot");
const say = (text) => (document.getElementById("say").textContent = text);
const LARGEST_FILE = 200000;
let stroke = null;

function add(at, label) {
  const before = app.config.problem === "own" ? app.config.own : [];
  const own = [...before, [unplace(at[0]), unplace(at[1]), label]].slice(-schema.points);
  set({ problem: "own", own });
}

const isDrawing = () => !saved && !app.walk && (app.config.problem === "own" || document.getElementById("owner").open);

function positionOf(event) {
  const box = plot.getBoundingClientRect();
  return fromPixel(event.clientX - box.left, event.clientY - box.top, box.width, box.height);
}

plot.addEventListener("pointerdown", (event) => {
  if (!isDrawing()) return;
  plot.setPointerCapture(event.pointerId);
  stroke = positionOf(event);
  add(stroke, event.shiftKey ? (app.pen + 1) % 2 : app.pen);
});
plot.addEventListener("pointermove", (event) => {
  if (!stroke) return;
  const at = positionOf(event);
  if (Math.hypot(at[0] - stroke[0], at[1] - stroke[1]) < 0.09) return;
  stroke = at;
  add(at, event.shiftKey ? (app.pen + 1) % 2 : app.pen);
});
for (const name of ["pointerup", "pointercancel"]) plot.addEventListener(name, () => (stroke = null));

plot.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] }[event.key];
  if (move) {
    app.cursor = (app.cursor ?? [0, 0]).map((v, i) => Math.max(-1.2, Math.min(1.2, v + move[i])));
    event.preventDefault();
    event.stopPropagation();
    changed("plane");
  }
  const label = "012345".indexOf(event.key);
  if (label >= 0 && !saved && !app.walk) {
    add(app.cursor ?? [0, 0], label);
    say(`Point of class ${label} added, ${app.config.own.length} in all.`);
  }
});
for (const name of ["focus", "blur"]) plot.addEventListener(name, () => changed("plane"));

// What may stand between the cells of a line; where it holds blanks, a comma alone is a decimal one.
const SEPARATORS = [/[;\t]/, /,\s+/, /,/, /\s+/];

// The cells of a line by the first separator that makes it a point.
function cells(line) {
  const rows = SEPARATORS.map((apart) => line.split(apart).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  return rows.find(isPoint) ?? rows[0];
}

// A number with a point, or with a decimal comma.
const value = (cell) => (cell ? Number(cell.replace(",", ".")) : NaN);
const isPoint = (row) => row.length >= 3 && Number.isFinite(value(row[0])) && Number.isFinite(value(row[1])) && row[2] !== "";

// Lines `x, y, class` become points; names of classes are numbered, and all is scaled to the plane.
export function parsed(text) {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const first = lines.findIndex(Boolean);
  const bad = lines.findIndex((line, i) => line && i > first && !isPoint(cells(line)));
  const good = lines.filter(Boolean).map(cells).filter(isPoint);
  if (!good.length) throw Error("No line has the form x, y, class.");
  if (bad >= 0) throw Error(`Line ${bad + 1} is “${lines[bad].slice(0, 40)}”; after a first line of names each is x, y, class.`);
  if (good.length > schema.points) throw Error(`There are ${good.length} points; at most ${schema.points} are taken.`);
  const classes = [...new Set(good.map((row) => row[2]))].sort((a, b) => a - b || (a < b ? -1 : 1));
  if (classes.length > schema.classes) throw Error(`There are ${classes.length} classes, ${classes.slice(0, 4).join(", ")} …; at most ${schema.classes} are taken.`);
  const spans = [0, 1].map((k) => {
    const values = good.map((row) => value(row[k]));
    return [Math.min(...values), Math.max(...values)];
  });
  const half = Math.max(...spans.map(([a, b]) => (b - a) / 2), 1e-9);
  return good.map((row) => [
    ...[0, 1].map((k) => unplace((value(row[k]) - (spans[k][0] + spans[k][1]) / 2) / half)),
    classes.indexOf(row[2]),
  ]);
}

function use() {
  try {
    const own = parsed(document.getElementById("paste").value);
    set({ problem: "own", own });
    fail("");
    say(`${own.length} points taken.`);
  } catch (error) {
    fail(error.message);
  }
}

export function drawPens() {
  for (const button of document.querySelectorAll("#pens button")) {
    button.setAttribute("aria-pressed", Number(button.dataset.pen) === app.pen);
    const g = button.firstChild.getContext("2d");
    g.clearRect(0, 0, 16, 16);
    marker(g, Number(button.dataset.pen), 8, 8, 6);
    g.fillStyle = css(palette.classes[button.dataset.pen]);
    g.fill();
  }
}

export function buildPoints() {
  const pens = document.getElementById("pens");
  for (let k = 0; k < schema.classes; k++) {
    const button = document.createElement("button");
    button.dataset.pen = k;
    button.setAttribute("aria-label", `Class ${k}`);
    const icon = document.createElement("canvas");
    icon.width = icon.height = 16;
    button.append(icon);
    button.onclick = () => {
      app.pen = k;
      drawPens();
    };
    pens.append(button);
  }
  document.getElementById("clear").onclick = () => set({ problem: "own", own: [] });
  document.getElementById("use").onclick = use;
  document.getElementById("file").onchange = async (event) => {
    const file = event.target.files[0];
    if (!file) return undefined;
    if (file.size > LARGEST_FILE) return fail(`The file has ${file.size.toLocaleString("en")} bytes; at most ${LARGEST_FILE.toLocaleString("en")} are read.`);
    document.getElementById("paste").value = (await file.text()).trim();
    return use();
  };
}

export const placed = (own) => own.map(([a, b, c]) => [place(a), place(b), c]);
