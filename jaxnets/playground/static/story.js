// The words and formulas beside each step of a walk.
import { outputsOf } from "./config.js";
import { FEATURE_TEXT, clean, num, signed, sub } from "./numbers.js";
import { app, names, sizes } from "./state.js";
import { deltaOf, numbers, stepOf, steps } from "./walk.js";

const html = document.getElementById("text");
const span = (kind, v) => `<span class="${kind}">${signed(v)}</span>`;
const inputName = (l, i) => (l ? `h${sub(i + 1)}` : FEATURE_TEXT[app.config.features[i]]);
const IDLE =
  '<p class="hint">Lines are weights and dots biases, <span class="plus">blue</span> above and <span class="minus">orange</span> below zero. ' +
  "Each square is what a unit answers in the plane. Click a unit or a line to read and set its weights. " +
  "Walk one sample to see its forward pass, the deltas of back-propagation and the optimizer’s step, number by number.</p>";

function unitName(l, u) {
  if (l < sizes().length - 2) return `unit ${u + 1} of hidden layer ${l + 1}`;
  return outputsOf(app.config) > 1 ? `the output of class ${u}` : "the output";
}

export function tell() {
  const on = !!app.walk;
  document.getElementById("walk").setAttribute("aria-pressed", on);
  document.querySelector(".walking").hidden = !on;
  if (!on) return put(IDLE);
  const step = stepOf();
  if (!step) return put("<p>The numbers are on their way.</p>");
  const where = document.getElementById("where");
  where.className = `tag ${step.phase}`;
  where.textContent = `${step.phase} ${app.walk.at + 1} of ${steps().length}`;
  return put({ forward, loss, backward, update }[step.phase](step, numbers()));
}

let before = "";
function put(text) {
  if (text === before) return;
  before = text;
  html.innerHTML = text;
}

function sum(terms) {
  return terms.length > 12 ? [...terms.slice(0, 10), "…", terms.at(-1)].join(" + ") : terms.join(" + ");
}

function forward({ l, u }, pass) {
  const { weight, bias } = pass.params[names()[l]];
  const last = l === sizes().length - 2;
  const terms = weight[u].map((w, i) => `${span("w", w)}·${span("v", pass.x[l][i])}`);
  const then = last ? "" : `, then applies ${app.config.activation}`;
  let text = `<p>Forward: <b>${unitName(l, u)}</b> adds its weighted inputs and its bias${then}.</p>` +
    `<p class="f">s = Σ wⱼ ${l ? "h" : "x"}ⱼ + b = ${sum([...terms, span("w", bias[u])])} = <b>${num(pass.s[l][u])}</b></p>`;
  if (!last) text += `<p class="f">h = ${app.config.activation}(${num(pass.s[l][u])}) = ${span("v", pass.h[l][u])}</p>`;
  if (!last && app.config.residual && l > 0) text += `<p class="f">handed on with its bypass: h + ${span("v", pass.x[l][u])} = ${num(pass.h[l][u] + pass.x[l][u])}</p>`;
  return text;
}

function loss(_, pass) {
  const [s, y, p] = [pass.s.at(-1)[0], pass.y, pass.shown];
  const rows = {
    classes: () => `<p>Softmax turns the outputs into probabilities; the sample is of class <b>${y}</b>.</p><p class="f">p = e<sup>s</sup> / Σ e<sup>s</sup> = ${p.slice(0, outputsOf(app.config)).map((v) => num(v)).join(", ")}</p><p class="f">E = −log p${sub(y)} = −log ${num(p[y])} = <b>${num(pass.loss)}</b></p>`,
    cross_entropy: () => `<p>The sample is of class <b>${y}</b>; the sigmoid of the output is the probability of class 1.</p><p class="f">p = 1 / (1 + e<sup>−s</sup>) = ${num(p[0])}</p><p class="f">E = −log p(class ${y}) = −log ${num(y ? p[0] : 1 - p[0])} = <b>${num(pass.loss)}</b></p>`,
    hinge: () => `<p>The sample is of class <b>${y}</b>, so its sign is t = ${y ? "1" : "−1"}; the hinge is 0 from margin 1 on.</p><p class="f">E = max(0, 1 − t s) = max(0, 1 − ${signed(y ? 1 : -1)}·${signed(s)}) = <b>${num(pass.loss)}</b></p>`,
    squared_error: () => `<p>The height of the sample is <b>${num(y)}</b>.</p><p class="f">E = (s − t)² = (${num(s)} − ${signed(y)})² = <b>${num(pass.loss)}</b></p>`,
    huber: () => `<p>The height of the sample is <b>${num(y)}</b>; Huber’s loss is linear where the error is above 1.</p><p class="f">E = r²/2 or |r| − 1/2, with r = s − t = ${num(s - y)}: <b>${num(pass.loss)}</b></p>`,
  };
  return rows[outputsOf(app.config) > 1 ? "classes" : app.config.loss]();
}

function backward({ l, u }, pass) {
  if (l === sizes().length - 2) return backwardOutput(u, pass);
  const next = pass.params[names()[l + 1]].weight;
  const terms = next.map((row, o) => `${span("w", row[u])}·${span("d", deltaOf(l + 1, o))}`);
  let dh = next.reduce((total, row, o) => total + row[u] * deltaOf(l + 1, o), 0);
  let text = `<p>Backward: <b>${unitName(l, u)}</b> collects the deltas behind it through its own weights, times the slope of ${app.config.activation}.</p>` +
    `<p class="f">∂E/∂h = Σ wₖ δₖ = ${sum(terms)} = ${num(dh)}</p>`;
  if (app.config.residual && l + 1 < sizes().length - 2) {
    const through = arriving(l + 1, u);
    dh += through;
    text += `<p class="f">and what arrives by the bypass, ${num(through)}: together ${num(dh)}</p>`;
  }
  return text + `<p class="f">δ = σ′(s) · ∂E/∂h = ${span("v", pass.slope[l][u])}·${signed(dh)} = ${span("d", deltaOf(l, u))}</p>`;
}

// The derivative with respect to what a residual layer hands on.
function arriving(l, u) {
  const next = numbers().params[names()[l + 1]].weight;
  const dh = next.reduce((total, row, o) => total + row[u] * deltaOf(l + 1, o), 0);
  return app.config.residual && l + 1 < sizes().length - 2 ? dh + arriving(l + 1, u) : dh;
}

function backwardOutput(u, pass) {
  const [s, y, p, d] = [pass.s.at(-1)[u], pass.y, pass.shown[u], deltaOf(sizes().length - 2, u)];
  const hit = outputsOf(app.config) > 1 ? Number(u === y) : y;
  const formula = {
    cross_entropy: `δ = ∂E/∂s = p − t = ${num(p)} − ${hit}`,
    hinge: `δ = ∂E/∂s = −t where t s < 1, else 0`,
    squared_error: `δ = ∂E/∂s = 2 (s − t) = 2·(${num(s)} − ${signed(y)})`,
    huber: `δ = ∂E/∂s = s − t, at most 1 either side`,
  }[app.config.loss];
  return `<p>Backward: <b>${unitName(sizes().length - 2, u)}</b> hears by how much it was wrong.</p><p class="f">${formula} = ${span("d", d)}</p>`;
}

const RULES = {
  sgd: "w ← w − η g",
  momentum: "v ← 0.9 v + g, w ← w − η v",
  rmsprop: "n ← 0.9 n + 0.1 g², w ← w − η g / √(n + 10⁻⁸)",
  adam: "m ← 0.9 m + 0.1 g, n ← 0.999 n + 0.001 g², w ← w − η m̂ / (√n̂ + 10⁻⁸)",
};

function update({ l, u }, pass) {
  const name = names()[l];
  const state = ["mu", "nu", "trace"].filter((key) => pass.optimizer?.[key]);
  const heads = { mu: "m before", nu: "n before", trace: "v before" };
  const penalised = app.config.l1 || app.config.l2;
  const row = (label, pick, x) => {
    const [w, g, q, after] = [pass.params, pass.grads, pass.penalty, pass.after].map((tree) => pick(tree[name]));
    return `<tr><th scope="row">${label}</th><td>${num(w)}</td><td class="d">${x}${num(g)}</td>` +
      (penalised ? `<td>${num(q)}</td>` : "") + state.map((key) => `<td>${num(pick(pass.optimizer[key][name]))}</td>`).join("") + `<td>${num(after)}</td></tr>`;
  };
  const delta = num(deltaOf(l, u));
  const rows = pass.x[l].map((x, i) => row(inputName(l, i), (layer) => layer.weight[u][i], `${delta}·${signed(x)} = `));
  return `<p>The gradient of each weight into <b>${unitName(l, u)}</b> is its delta times the input; that of the bias is the delta. Then ${app.config.optimizer} takes its step, η = ${clean(rateOf())}.</p>` +
    `<p class="f">∂E/∂wⱼ = δ ${l ? "h" : "x"}ⱼ, ${penalised ? "g = ∂E/∂w + λ₁ sign w + 2 λ₂ w, " : "g = ∂E/∂w, "}${RULES[app.config.optimizer]}</p>` +
    `<div class="scroll" tabindex="0" role="region" aria-label="Weights of this unit"><table><thead><tr><th scope="col">from</th><th scope="col">w</th><th scope="col">∂E/∂w</th>${penalised ? '<th scope="col">penalty</th>' : ""}${state.map((key) => `<th scope="col">${heads[key]}</th>`).join("")}<th scope="col">new w</th></tr></thead><tbody>${rows.join("")}${row("bias", (layer) => layer.bias[u], "")}</tbody></table></div>`;
}

export function rateOf() {
  const { config, member } = app;
  if (config.vary !== "learning_rate" || config.networks === 1) return config.learning_rate;
  return config.learning_rate * 10 ** ((2 * member) / (config.networks - 1) - 1);
}
