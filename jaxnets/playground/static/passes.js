// Forward, backward and the optimizer's step in the page itself, for a saved page without a server.
// A live page shows the server's numbers, which are those of jaxnets.backprop; a test compares them.
import { outputsOf } from "./config.js";
import { FEATURE } from "./numbers.js";

const logistic = (s) => (s >= 0 ? 1 / (1 + Math.exp(-s)) : Math.exp(s) / (1 + Math.exp(s)));
const softplus = (s) => Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s)));

// erf by its series, and by its continued fraction where that is exact to 1e-12.
function erf(x) {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let [term, sum] = [a, a];
    for (let n = 1; Math.abs(term) > 1e-17; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let f = 0;
  for (let k = 60; k > 0; k--) f = k / 2 / (a + f);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + f) * Math.sqrt(Math.PI)));
}

const [SCALE, SHIFT] = [1.0507009873554805, 1.7580993408473766];
// Name to the function and its derivative, of s and of x = f(s).
export const ACTIVATIONS = {
  identity: [(s) => s, () => 1],
  sigmoid: [logistic, (s, x) => x * (1 - x)],
  tanh: [Math.tanh, (s, x) => 1 - x * x],
  relu: [(s) => Math.max(0, s), (s) => (s > 0 ? 1 : 0)],
  leaky_relu: [(s) => (s > 0 ? s : 0.2 * s), (s) => (s > 0 ? 1 : 0.2)],
  elu: [(s) => (s > 0 ? s : Math.expm1(s)), (s, x) => (s > 0 ? 1 : x + 1)],
  softplus: [softplus, logistic],
  gaussian: [(s) => Math.exp(-s * s), (s, x) => -2 * s * x],
  gelu: [
    (s) => 0.5 * s * (1 + erf(s / Math.SQRT2)),
    (s) => 0.5 * (1 + erf(s / Math.SQRT2)) + (s * Math.exp((-s * s) / 2)) / Math.sqrt(2 * Math.PI),
  ],
  silu: [(s) => s * logistic(s), (s, x) => logistic(s) + x * (1 - logistic(s))],
  selu: [(s) => (s > 0 ? SCALE * s : SHIFT * Math.expm1(s)), (s, x) => (s > 0 ? SCALE : x + SHIFT)],
  softsign: [(s) => s / (1 + Math.abs(s)), (s, x) => (1 - Math.abs(x)) ** 2],
  hard_tanh: [(s) => Math.max(-1, Math.min(1, s)), (s) => (Math.abs(s) <= 1 ? 1 : 0)],
};

function softmax(s) {
  const top = Math.max(...s);
  const e = s.map((v) => Math.exp(v - top));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}

// The loss of outputs and its derivative with respect to each.
export function lossOf(config, s, y) {
  if (outputsOf(config) > 1) {
    const p = softmax(s);
    return [-Math.log(p[y]), p.map((v, k) => v - (k === y ? 1 : 0)), p];
  }
  const [o, m] = [s[0], (2 * y - 1) * s[0]];
  const shown = [logistic(o)];
  if (config.loss === "cross_entropy") return [softplus(-m), [logistic(o) - y], shown];
  if (config.loss === "hinge") return [Math.max(0, 1 - m), [m >= 1 ? 0 : 1 - 2 * y], shown];
  const r = o - y;
  if (config.loss === "squared_error") return [r * r, [2 * r], shown];
  const near = Math.min(Math.abs(r), 1);
  return [near * (Math.abs(r) - near / 2), [Math.max(-1, Math.min(1, r))], shown];
}

// The coordinates of a sample as the features that the networks see.
export const featuresOf = (config, a, b) => config.features.map((name) => FEATURE[name](a, b));

// Every number of a walk, in the form of the server's answer.
export function passes(config, params, optimizer, x, y, learningRate) {
  const names = Object.keys(params);
  const [f, df] = ACTIVATIONS[config.activation];
  const found = { x: [], s: [], h: [], slope: [], params, grads: {}, penalty: {}, after: {}, y, optimizer };
  let h = x;
  names.forEach((name, l) => {
    const { weight, bias } = params[name];
    const s = weight.map((row, o) => row.reduce((sum, w, i) => sum + w * h[i], bias[o]));
    const last = l === names.length - 1;
    const value = last ? s : s.map(f);
    found.x.push(h);
    found.s.push(s);
    found.h.push(value);
    if (!last) found.slope.push(s.map((v, i) => df(v, value[i])));
    h = config.residual && l > 0 && !last ? value.map((v, i) => v + h[i]) : value;
  });
  const [loss, delta, shown] = lossOf(config, found.s.at(-1), y);
  Object.assign(found, { loss, shown });
  let [d, dh] = [delta, null];
  for (let l = names.length - 1; l >= 0; l--) {
    const { weight } = params[names[l]];
    if (l < names.length - 1) d = dh.map((v, i) => v * found.slope[l][i]);
    found.grads[names[l]] = {
      weight: d.map((v, o) => found.x[l].map((u, i) => (lacks(config, params, l, o) || lacks(config, params, l - 1, i) ? 0 : v * u))),
      bias: d.map((v, o) => (lacks(config, params, l, o) ? 0 : v)),
    };
    const dx = found.x[l].map((_, i) => weight.reduce((sum, row, o) => sum + row[i] * d[o], 0));
    dh = config.residual && l > 0 && l < names.length - 1 ? dx.map((v, i) => v + dh[i]) : dx;
  }
  found.dx = dh;
  for (const name of names) {
    found.penalty[name] = {
      weight: params[name].weight.map((row) => row.map((w) => config.l1 * Math.sign(w) + 2 * config.l2 * w)),
      bias: params[name].bias.map(() => 0),
    };
    found.after[name] = updated(config, found, name, learningRate);
  }
  return found;
}

// Whether a network has no such unit: with widths across the ensemble, nothing leads to it or from it.
function lacks(config, params, l, o) {
  const layers = Object.values(params);
  if (config.vary !== "width" || l < 0 || l === layers.length - 1) return false;
  const { weight, bias } = layers[l];
  return !bias[o] && weight[o].every((w) => !w) && layers[l + 1].weight.every((row) => !row[o]);
}

function updated(config, found, name, rate) {
  const at = (tree, part, o, i) => (tree ? (i === null ? tree[name].bias[o] : tree[name].weight[o][i]) : 0);
  const one = (part, o, i) => {
    const g = at(found.grads, part, o, i) + at(found.penalty, part, o, i);
    const state = {};
    for (const key of ["mu", "nu", "trace"]) if (found.optimizer?.[key]) state[key] = at(found.optimizer[key], part, o, i);
    return at(found.params, part, o, i) - rate * direction(config.optimizer, g, state, found.optimizer?.count ?? 0);
  };
  const { weight, bias } = found.params[name];
  return { weight: weight.map((row, o) => row.map((_, i) => one("weight", o, i))), bias: bias.map((_, o) => one("bias", o, null)) };
}

// What the rate is multiplied by: plain descent, momentum, RMSprop or Adam, as in Optax.
export function direction(optimizer, g, { mu = 0, nu = 0, trace = 0 }, count) {
  if (optimizer === "sgd") return g;
  if (optimizer === "momentum") return g + 0.9 * trace;
  if (optimizer === "rmsprop") return g / Math.sqrt(0.9 * nu + 0.1 * g * g + 1e-8);
  const t = count + 1;
  const m = (0.9 * mu + 0.1 * g) / (1 - 0.9 ** t);
  const v = (0.999 * nu + 0.001 * g * g) / (1 - 0.999 ** t);
  return m / (Math.sqrt(v) + 1e-8);
}
