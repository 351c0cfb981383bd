// The controls: built from the schema, painted from the configuration.
import schema from "./schema.js";
import { defaults, fromAddress, kindOf } from "./config.js";
import { ask, fail, post } from "./link.js";
import { FEATURE_TEXT, clean, num } from "./numbers.js";
import { picture } from "./icons.js";
import { columns, nearestLink, onPick } from "./network.js";
import { app, bias, changed, names, set, sizes, weight } from "./state.js";

const $ = (id) => document.getElementById(id);
const SLIDERS = {
  n: ["points", 8, schema.points, 1],
  noise: ["noise", 0, 0.5, 0.01],
  flip: ["labels flipped", 0, 0.5, 0.01],
  classes: ["classes", 2, schema.classes, 1],
  valid: ["share for validation", 0, 0.8, 0.05],
  test: ["share for test", 0, 0.8, 0.05],
  learning_rate: ["learning rate", -5, 1, 0.1, "log"],
  l2: ["penalty λ₂ ‖w‖²", -6, 0, 0.25, "log0"],
  l1: ["penalty λ₁ |w|", -6, 0, 0.25, "log0"],
};
const TEXTS = {
  cross_entropy: "cross entropy", squared_error: "squared error", seed: "by seed", learning_rate: "by rate", width: "by width",
  xor: "exclusive or", spirals: "two spirals", random_points: "random labels", own: "own points", rosenbrock: "Rosenbrock surface",
  rosenbrock_region: "Rosenbrock region",
};
const text = (value) => TEXTS[value] ?? String(value).replace(/_/g, " ");
const painters = [];

function slider(name, into) {
  const [label, low, high, step, kind] = SLIDERS[name];
  const place = document.createElement("label");
  place.append(label + " ", document.createElement("b"));
  const input = Object.assign(document.createElement("input"), { type: "range", min: low, max: high, step, id: "c-" + name });
  const value = () => (kind === "log0" && Number(input.value) <= low ? 0 : kind ? Number((10 ** input.value).toPrecision(2)) : Number(input.value));
  input.oninput = () => set({ [name]: value() });
  place.append(input);
  painters.push(() => {
    const now = app.config[name];
    if (document.activeElement !== input) input.value = kind ? (now ? Math.log10(now) : low) : now;
    place.querySelector("b").textContent = clean(now);
    input.setAttribute("aria-valuetext", String(clean(now)));
    place.hidden = isUnused(name);
  });
  into.append(place);
}

function isUnused(name) {
  const [kind, problem] = [kindOf(app.config), app.config.problem];
  if (problem === "own") return ["n", "noise", "flip", "classes"].includes(name);
  if (name === "classes") return kind !== "classes";
  if (name === "flip") return kind !== "binary";
  return name === "noise" && problem === "random_points";
}

function select(name, label, values, into) {
  const place = document.createElement("label");
  const input = document.createElement("select");
  input.id = "c-" + name;
  place.append(label, input);
  let shown = "";
  painters.push(() => {
    const list = values();
    if (shown !== list.join()) {
      shown = list.join();
      input.replaceChildren(...list.map((value) => new Option(text(value), value)));
    }
    input.value = app.config[name];
  });
  input.onchange = () => set({ [name]: typeof defaults[name] === "number" ? Number(input.value) : input.value });
  into.append(place);
}

function number(name, label, into) {
  const [low, high] = schema.limits[name];
  const place = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "number", min: low, max: high, id: "c-" + name, className: "number" });
  place.append(label, input);
  input.onchange = () => set({ [name]: Math.max(low, Math.min(high, Math.round(Number(input.value) || 0))) });
  painters.push(() => (input.value = app.config[name]));
  into.append(place);
}

function check(name, label, into) {
  const place = document.createElement("label");
  place.className = "check";
  const input = Object.assign(document.createElement("input"), { type: "checkbox", id: "c-" + name });
  place.append(input, label);
  input.onchange = () => set({ [name]: input.checked });
  painters.push(() => (input.checked = app.config[name]));
  into.append(place);
}

function networksChoices() {
  return [...new Set([1, 4, 16, 64, 256, app.config.networks])].sort((a, b) => a - b);
}

export function buildControls() {
  for (const name of ["n", "noise", "flip", "classes", "valid", "test"]) slider(name, $("c-problem"));
  const pair = $("c-pair");
  select("activation", "activation", () => schema.choices.activation, pair);
  select("optimizer", "optimizer", () => schema.choices.optimizer, pair);
  select("loss", "loss", () => schema.losses[kindOf(app.config)], pair);
  select("batch", "batch size", () => schema.choices.batch, pair);
  select("networks", "networks", networksChoices, pair);
  select("vary", "that differ", () => schema.choices.vary, pair);
  number("seed", "seed", pair);
  check("residual", "residual", pair);
  for (const name of ["learning_rate", "l2", "l1"]) slider(name, $("c-training"));
  buildProblems();
  buildFeatures();
  buildGallery();
  $("fewer").onclick = () => set({ widths: app.config.widths.slice(0, -1) });
  $("more").onclick = () => {
    const { widths, residual } = app.config;
    const last = widths.at(-1) ?? 4;
    set({ widths: [...widths, residual ? last : Math.min(schema.wide[0], last)] });
  };
}

function buildProblems() {
  for (const name of schema.choices.problem) {
    const button = document.createElement("button");
    button.dataset.problem = name;
    button.title = text(name);
    button.setAttribute("aria-label", text(name));
    button.append(picture(name));
    button.onclick = () => {
      set({ problem: name });
      if (name === "own") $("owner").open = true;
    };
    $("problems").append(button);
  }
}

function buildFeatures() {
  for (const name of schema.features) {
    const button = document.createElement("button");
    button.textContent = FEATURE_TEXT[name];
    button.onclick = () => {
      const has = app.config.features;
      const next = schema.features.filter((f) => (f === name ? !has.includes(f) : has.includes(f)));
      if (next.length) set({ features: next });
    };
    painters.push(() => {
      button.setAttribute("aria-pressed", app.config.features.includes(name));
      button.disabled = kindOf(app.config) === "curve" && name !== "x1";
    });
    $("features").append(button);
  }
}

function buildGallery() {
  for (const preset of schema.presets) {
    const link = document.createElement("a");
    link.href = "#" + preset.address;
    const title = document.createElement("b");
    title.textContent = preset.title;
    const about = document.createElement("span");
    about.textContent = preset.text;
    link.append(picture(fromAddress(preset.address).problem), title, about);
    link.onclick = (event) => {
      event.preventDefault();
      app.config = fromAddress(preset.address);
      app.generation++;
      app.member = 0;
      app.preset = preset.weights ?? null;
      set({});
      scrollTo({ top: 0 });
    };
    const row = document.createElement("li");
    row.append(link);
    $("gallery").append(row);
  }
}

export function paintControls() {
  for (const paint of painters) paint();
  const { config } = app;
  for (const button of document.querySelectorAll("#problems button")) button.setAttribute("aria-pressed", button.dataset.problem === config.problem);
  $("problem-name").textContent = text(config.problem);
  $("member").max = config.networks - 1;
  $("member").value = app.member;
  $("member-label").hidden = config.networks === 1;
  $("layers").textContent = `${config.widths.length} hidden layer${config.widths.length === 1 ? "" : "s"}`;
  $("fewer").disabled = !config.widths.length;
  $("more").disabled = config.widths.length >= schema.deepest;
  const regression = ["curve", "surface"].includes(kindOf(config));
  if (regression) app.curve = "loss";
  for (const id of ["view", "curve", "layer-view"]) {
    const now = { view: app.view, curve: app.curve, "layer-view": app.layerView }[id];
    for (const button of $(id).children) button.setAttribute("aria-pressed", button.dataset.v === now);
  }
  $("curve").querySelector('[data-v="accuracy"]').disabled = regression;
}

// ---- reading and setting the weights of a unit
export function paintInspector(focus = null) {
  const place = $("inspector");
  const chosen = app.selected;
  const fits = chosen && !app.walk && chosen.l < sizes().length && chosen.u < sizes()[chosen.l];
  place.hidden = !fits;
  if (!fits) return;
  if (place.contains(document.activeElement) && focus === null) return;
  const l = chosen.l - 1;
  const title = document.createElement("p");
  title.className = "name";
  title.textContent = l === sizes().length - 2 ? "Into the output" : `Into unit ${chosen.u + 1} of hidden layer ${chosen.l}`;
  const grid = document.createElement("div");
  grid.className = "grid";
  const inputs = Array.from({ length: sizes()[l] }, (_, i) => entry(l, chosen.u, i));
  grid.append(entry(l, chosen.u, null), ...inputs);
  place.replaceChildren(title, grid);
  if (focus !== null) grid.querySelectorAll("input")[focus]?.focus();
}

function entry(l, u, i) {
  const place = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "number", step: "0.1" });
  input.value = Number((i === null ? bias(l, u) : weight(l, u, i)).toPrecision(5));
  const from = i === null ? "bias" : l ? `from unit ${i + 1}` : `from ${FEATURE_TEXT[app.config.features[i]]}`;
  input.onchange = async () => {
    try {
      await post("edit", { member: app.member, layer: names()[l], row: u, column: i, value: Number(input.value) });
      fail("");
      ask();
    } catch (error) {
      fail(error.message);
    }
  };
  place.append(from, input);
  return place;
}

onPick((l, u) => {
  if (app.walk) return;
  const same = app.selected?.l === l && app.selected.u === u;
  app.selected = same ? null : { l, u };
  changed("selected");
});

$("graph").addEventListener("click", (event) => {
  if (app.walk || !columns.length) return;
  const box = $("graph").getBoundingClientRect();
  const link = nearestLink(event.clientX - box.left, event.clientY - box.top);
  app.selected = link;
  changed("selected");
  if (link) paintInspector(link.i + 1);
});

export const scoreText = (rows) => {
  const good = rows.filter(Number.isFinite);
  if (!good.length) return "–";
  const mean = good.reduce((a, b) => a + b, 0) / good.length;
  const spread = Math.sqrt(good.reduce((a, b) => a + (b - mean) ** 2, 0) / good.length);
  return [mean, spread];
};
export { num };
