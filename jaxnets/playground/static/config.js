// The configuration and the part of the address after #, as jaxnets/playground/config.py has them.
import schema from "./schema.js";

export const defaults = schema.default;

export function written(name, value) {
  if (name === "own") return packed(value);
  if (name === "widths") return value.join("-");
  if (Array.isArray(value)) return value.join(",");
  return encodeURIComponent(String(value));
}

export function toAddress(config) {
  return Object.keys(defaults)
    .filter((name) => JSON.stringify(config[name]) !== JSON.stringify(defaults[name]))
    .map((name) => `${name}=${written(name, config[name])}`)
    .join("&");
}

export function fromAddress(text) {
  const config = structuredClone(defaults);
  for (const part of text.replace(/^#/, "").split("&").filter(Boolean)) {
    const [name, ...rest] = part.split("=");
    if (!(name in config)) continue;
    try {
      config[name] = read(name, decodeURIComponent(rest.join("=")));
    } catch {
      config[name] = structuredClone(defaults[name]);
    }
  }
  return config;
}

function read(name, text) {
  const before = defaults[name];
  if (name === "own") return unpacked(text);
  if (name === "widths") return text.split("-").filter(Boolean).map((part) => number(part));
  if (Array.isArray(before)) return text.split(",").map((part) => known(schema.features, part));
  if (typeof before === "boolean") return text === "true";
  const value = typeof before === "number" ? number(text) : text;
  return schema.choices[name] ? known(schema.choices[name], value) : value;
}

function number(text) {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) throw Error(text);
  return value;
}

function known(values, value) {
  if (!values.includes(value)) throw Error(value);
  return value;
}

// A point is a column and a row of 12 bits and a class of 3, in 4 bytes.
function packed(points) {
  const bytes = new Uint8Array(points.length * 4);
  const view = new DataView(bytes.buffer);
  points.forEach(([a, b, c], i) => view.setUint32(4 * i, (a << 15) | (b << 3) | c));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function unpacked(text) {
  const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => {
    const word = view.getUint32(4 * i);
    return [word >>> 15, (word >>> 3) & 4095, word & 7];
  });
}

export function kindOf(config) {
  if (config.problem !== "own") return schema.kinds[config.problem];
  return outputsOf(config) > 1 ? "classes" : "binary";
}

export function outputsOf(config) {
  let count = 2;
  if (config.problem === "own") count = 1 + Math.max(1, ...config.own.map((p) => p[2]));
  else if (schema.kinds[config.problem] === "classes") count = config.classes;
  return count > 2 ? count : 1;
}

// A change and what has to follow from it, so that the server takes the whole.
export function withChanges(config, changes) {
  const next = { ...config, ...changes };
  const kind = kindOf(next);
  if (!schema.losses[kind].includes(next.loss)) next.loss = schema.losses[kind][0];
  if (kind === "curve") next.features = ["x1"];
  else if (kindOf(config) === "curve" && !changes.features) next.features = ["x1", "x2"];
  if (next.widths.length > schema.deepest_wide) next.widths = next.widths.map((w) => Math.min(w, schema.wide[0]));
  if (next.residual && changes.residual) next.widths = next.widths.map(() => next.widths[0]);
  if (new Set(next.widths).size > 1 && changes.widths) next.residual = false;
  if (next.valid + next.test > 0.9) {
    if ("valid" in changes) next.test = round2(0.9 - next.valid);
    else next.valid = round2(0.9 - next.test);
  }
  return next;
}

const round2 = (value) => Math.max(0, Math.round(value * 100) / 100);
export const place = (v) => (v - (schema.largest_own + 1) / 2) / schema.steps_per_unit;
export const unplace = (x) =>
  Math.max(0, Math.min(schema.largest_own, Math.round(x * schema.steps_per_unit + (schema.largest_own + 1) / 2)));
