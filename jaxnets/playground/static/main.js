// Wires the page: who draws what when, keys and buttons.
import { drawCurves, drawLayers, drawLegend } from "./charts.js";
import { readColours, setTheme } from "./colours.js";
import schema from "./schema.js";
import { fromAddress, kindOf, toAddress } from "./config.js";
import { buildControls, paintControls, paintInspector, scoreText } from "./controls.js";
import { paintIcons } from "./icons.js";
import { ask, decode, fail, loop, post, receive, speed } from "./link.js";
import { drawNetwork, onPick } from "./network.js";
import { featuresOf, passes } from "./passes.js";
import { drawPlane, fromPixel } from "./plane.js";
import { buildPoints, drawPens } from "./points.js";
import { buildShare } from "./share.js";
import { app, changed, onChange, saved, set } from "./state.js";
import { num } from "./numbers.js";
import { tell } from "./story.js";
import { stepTo, steps } from "./walk.js";

const $ = (id) => document.getElementById(id);

function draw() {
  if (!app.frame) return;
  drawPlane();
  drawNetwork();
  drawCurves();
  drawLegend();
  drawLayers();
  stats();
  tell();
  if (app.walk === null && !app.running) paintInspector();
}

function stats() {
  const { frame, config } = app;
  const n = frame.finite.length;
  const epochs = (frame.step * config.batch) / frame.train;
  $("s-step").textContent = frame.step.toLocaleString("en");
  $("s-epoch").textContent = epochs.toFixed(epochs < 10 ? 1 : 0);
  const part = frame.valid ? 1 : 0;
  const regression = ["curve", "surface"].includes(kindOf(config));
  const rows = [...(regression ? frame.loss : frame.accuracy).subarray(part * n, part * n + n)].filter((_, i) => frame.finite[i]);
  const found = scoreText(rows);
  const [a, b] = regression ? found : [100 * found[0], 100 * found[1]];
  $("s-score-name").textContent = `${part ? "validation" : "training"} ${regression ? "loss" : "accuracy"}`;
  $("s-score").textContent = found === "–" ? "–" : regression ? `${num(a)} ± ${num(b)}` : `${a.toFixed(1)} ± ${b.toFixed(1)} %`;
  $("s-diverged").textContent = `${frame.diverged} of ${n}`;
  $("s-diverged").parentElement.classList.toggle("alarm", frame.diverged > 0);
  $("s-rate").textContent = app.running ? Math.round(speed.rate).toLocaleString("en") : "–";
  $("s-fps").textContent = app.running ? speed.fps.toFixed(0) : "–";
  const gone = !frame.finite[app.member] && app.view === "mine";
  const all = frame.diverged === n;
  $("veil").hidden = !(gone || all);
  $("veil").textContent = all ? "Every network has diverged: lower the learning rate, then Reset." : "This network has diverged: its numbers are no longer finite.";
}

function showCompiling({ compiling, needed }) {
  const [name, seconds] = compiling.busy[0] ?? [];
  $("compiling").hidden = !name;
  if (needed) {
    $("veil").hidden = false;
    $("veil").textContent = name ? `Compiling ${name} … ${seconds.toFixed(0)} s` : "Waiting for the compiler …";
  }
  if (!name) return;
  $("compiling").title = name;
  const spoken = $("compiling").lastChild;
  if (spoken.textContent !== `: ${name}`) spoken.textContent = `: ${name}`;
}

function play() {
  app.running = true;
  speed.fps = speed.rate = 0;
  $("play").textContent = "⏸ Pause";
  $("play").setAttribute("aria-pressed", "true");
  ask();
}

function pause() {
  if (app.running && app.frame) $("say").textContent = `Paused after ${app.frame.step} updates, ${$("s-score-name").textContent} ${$("s-score").textContent}.`;
  app.running = false;
  $("play").textContent = "▶ Train";
  $("play").setAttribute("aria-pressed", "false");
  draw();
}

function reset() {
  app.generation++;
  ask();
}

// ---- the walk
let timer = null;

function stopRun() {
  clearInterval(timer);
  timer = null;
  $("run").textContent = "Run";
}

function goTo(at) {
  if (!app.walk || !stepTo(at)) return;
  tell();
  drawNetwork();
}

// A saved page computes the walk itself; a live one asks the server.
function walkSample(sample) {
  app.sample = sample;
  app.walk.at = 0;
  app.walk.pass = saved ? passes(app.config, saved.params, saved.optimizer, featuresOf(app.config, app.x[2 * sample], app.x[2 * sample + 1]), app.y[sample], saved.rate) : null;
  if (saved) draw();
  else ask();
}

function toggleWalk() {
  stopRun();
  app.selected = null;
  app.walk = app.walk ? null : { at: 0, pass: null };
  paintInspector();
  if (app.walk) {
    pause();
    walkSample(app.sample);
  }
  draw();
}

function runWalk() {
  if (timer) return stopRun();
  $("run").textContent = "Stop";
  timer = setInterval(() => {
    goTo(app.walk ? app.walk.at + 1 : 0);
    if (!app.walk || app.walk.at >= steps().length - 1) stopRun();
  }, 500);
  return undefined;
}

onPick((l, u) => {
  if (!app.walk) return;
  const all = steps();
  const later = all.findIndex((s, at) => s.l === l - 1 && s.u === u && at > app.walk.at);
  goTo(later >= 0 ? later : all.findIndex((s) => s.l === l - 1 && s.u === u));
});

$("plot").addEventListener("click", (event) => {
  if (!app.walk || !app.frame) return;
  const box = $("plot").getBoundingClientRect();
  const [a, b] = fromPixel(event.clientX - box.left, event.clientY - box.top, box.width, box.height);
  const curve = app.frame.kind === "curve";
  const distance = (i) => (app.x[2 * i] - a) ** 2 + ((curve ? app.y[i] : app.x[2 * i + 1]) - b) ** 2;
  let best = 0;
  for (let i = 1; i < app.frame.n; i++) if (distance(i) < distance(best)) best = i;
  walkSample(best);
});

// ---- buttons and keys
function chooser(id, name) {
  $(id).onclick = (event) => {
    const button = event.target.closest("button");
    if (!button || button.disabled) return;
    app[name] = button.dataset.v;
    paintControls();
    draw();
  };
}

function buttons() {
  $("play").onclick = () => (app.running ? pause() : play());
  $("step").onclick = () => {
    pause();
    ask($("pace").value === "auto" ? 1 : Number($("pace").value));
  };
  $("reset").onclick = reset;
  $("member").oninput = (event) => {
    app.member = Number(event.target.value);
    ask();
  };
  $("lines").onchange = draw;
  $("theme").onclick = () => {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", name);
    } catch {
      /* a page without storage has the theme of the system */
    }
    setTheme(name);
    paintIcons();
    drawPens();
    draw();
  };
  $("walk").onclick = toggleWalk;
  $("next").onclick = () => goTo(app.walk.at + 1);
  $("back").onclick = () => goTo(app.walk.at - 1);
  $("run").onclick = runWalk;
  $("other").onclick = () => walkSample((app.sample + 1) % app.frame.n);
  chooser("view", "view");
  chooser("curve", "curve");
  chooser("layer-view", "layerView");
}

addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const ahead = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (app.walk && ahead && !event.target.closest?.("#plot, .scroll")) goTo(app.walk.at + ahead);
  if (app.walk && event.key === "Escape") toggleWalk();
  if (saved) return;
  if (event.key === " " && !/^(BUTTON|A|SUMMARY)$/.test(event.target.tagName)) {
    event.preventDefault();
    $("play").click();
  }
  if (event.key === ".") $("step").click();
  if (event.key === "r") $("reset").click();
});
addEventListener("hashchange", () => {
  app.config = fromAddress(location.hash);
  app.preset = printed();
  set({});
});
addEventListener("resize", draw);

onChange(async (what) => {
  if (what?.compiling) return showCompiling(what);
  if (what === "config") {
    fail("");
    paintControls();
    if (app.walk) app.walk.at = Math.min(app.walk.at, steps().length - 1);
    if (!saved) ask();
  }
  if (what === "stopped") pause();
  if (what === "plane" && app.frame) drawPlane();
  if (what === "selected") {
    paintInspector();
    drawNetwork();
  }
  if (what === "frame") draw();
  if (what === "frame" && app.preset && app.frame.config === app.config) await loadPreset();
  return undefined;
});

// A preset with weights that a lecture prints puts them into every network.
async function loadPreset() {
  const params = app.preset;
  app.preset = null;
  pause();
  const layers = Object.entries(params).map(([name, layer]) => [name, { weight: [layer.weight], bias: [layer.bias] }]);
  try {
    await post("load", { params: Object.fromEntries(layers) });
  } catch (error) {
    fail(error.message);
  }
  ask();
}

// The weights that a lecture prints for just this configuration.
const printed = () => schema.presets.find((preset) => preset.weights && preset.address === toAddress(app.config))?.weights ?? null;

function start() {
  let theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  try {
    theme = localStorage.getItem("theme") ?? theme;
  } catch {
    /* a page from the disk may have no storage */
  }
  setTheme(theme);
  readColours();
  buildControls();
  buildPoints();
  buildShare();
  buttons();
  paintIcons();
  drawPens();
  paintControls();
  tell();
  if (!saved) {
    app.preset = printed();
    ask();
    return loop();
  }
  document.body.classList.add("saved");
  [app.x, app.y] = [Float32Array.from(saved.x), Float32Array.from(saved.y)];
  const frame = decode(Uint8Array.from(atob(saved.frame), (c) => c.charCodeAt(0)).buffer);
  receive(frame);
  app.history = saved.history;
  app.sample = saved.sample;
  draw();
  return undefined;
}

start();
export { app, changed, set };
