// What the page shows: one object, and who wants to know when it changes.
import { fromAddress, outputsOf, toAddress, withChanges } from "./config.js";

const element = document.getElementById("saved");
export const saved = element ? JSON.parse(element.textContent) : null;

export const app = {
  config: saved ? saved.config : fromAddress(location.hash),
  frame: null,
  x: null,
  y: null,
  known: null,
  history: [],
  member: saved ? saved.member : 0,
  view: saved ? saved.view : "mean",
  curve: "loss",
  layerView: "norms",
  pen: 1,
  cursor: null,
  selected: null,
  walk: null,
  sample: 0,
  running: false,
  generation: 1,
};

const listeners = [];
export const onChange = (listener) => listeners.push(listener);
export const changed = (what) => listeners.forEach((listener) => listener(what));

export function set(changes) {
  app.config = withChanges(app.config, changes);
  app.member = Math.min(app.member, app.config.networks - 1);
  const points = app.config.problem === "own" ? app.config.own.length : app.config.n;
  app.sample = Math.max(0, Math.min(app.sample, points - 1));
  if (app.walk && !saved) app.walk.pass = null;
  if (!saved) history.replaceState(null, "", "#" + toAddress(app.config));
  changed("config");
}

export const names = () => [...app.config.widths.map((_, i) => "hidden_" + i), "output"];
export const sizes = () => [app.config.features.length, ...app.config.widths, outputsOf(app.config)];
export const weight = (l, o, i) => app.frame[names()[l] + ".weight"][o * sizes()[l] + i];
export const bias = (l, o) => app.frame[names()[l] + ".bias"][o];
// Whether the frame is of the networks that the controls describe.
export const fits = () =>
  app.frame &&
  names().every((name, l) => app.frame[name + ".weight"]?.length === sizes()[l] * sizes()[l + 1]) &&
  !app.frame[`hidden_${app.config.widths.length}.weight`];
