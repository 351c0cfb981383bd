// The link to the server: one request a frame, a binary answer.
import { app, changed } from "./state.js";

const session = [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
const TYPES = { uint8: Uint8Array, float32: Float32Array, int32: Int32Array };
// Milliseconds between two pictures of a usual screen.
const REFRESH = 1000 / 60;
let wake = () => {};
let pending = 0;
let wanted = false;
let updates = 1;
// When the last request was sent, in milliseconds.
let asked = 0;
// The generation of the networks that the last frame showed: those of a later one have no steps yet.
let shown = null;
export const speed = { fps: 0, rate: 0 };

export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  for (const [name, [type, at, dims]] of Object.entries(head.arrays)) {
    const size = dims.reduce((a, b) => a * b, 1);
    head[name] = new TYPES[type](buffer, 4 + length + at, size);
  }
  head.raw = buffer;
  return head;
}

export async function post(name, values) {
  const reply = await fetch(name, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ session, ...values }),
  });
  if (!reply.ok) throw Error(await reply.text());
  return reply.arrayBuffer();
}

// Asks for a frame, and for so many updates before it.
export function ask(steps = 0) {
  pending += steps;
  wanted = true;
  wake();
}

const pace = () => document.getElementById("pace").value;

function stepsOfThisFrame() {
  if (!app.running) return pending;
  return pace() === "auto" ? Math.max(1, Math.round(updates)) : Number(pace());
}

let blamed = "";
// Shows what was refused. A good frame clears what a frame had said, not what an action had.
export function fail(text, by = "action") {
  if (!text && blamed !== by && blamed) return;
  blamed = text ? by : "";
  const place = document.getElementById("error");
  if (place.textContent !== text) place.textContent = text;
}

// Waits for something to ask for; asks no more often than the screen is drawn.
async function ready() {
  while (document.hidden || !(app.running || pending || wanted)) {
    await new Promise((resolve) => {
      wake = resolve;
      document.addEventListener("visibilitychange", resolve, { once: true });
    });
  }
  if (performance.now() - asked < REFRESH) await new Promise(requestAnimationFrame);
  asked = performance.now();
}

export async function loop() {
  let last = performance.now();
  for (;;) {
    await ready();
    wanted = false;
    const steps = stepsOfThisFrame();
    const body = {
      config: app.config, generation: app.generation, step: app.generation === shown ? app.frame.step : 0,
      updates: steps, member: app.member, known: app.known,
    };
    if (app.walk) body.sample = app.sample;
    let frame;
    try {
      frame = decode(await post("frame", body));
    } catch (error) {
      pending = 0;
      fail(error instanceof TypeError ? "The server has stopped: start it again, then open its new address." : error.message, "frame");
      changed("stopped");
      continue;
    }
    fail("", "frame");
    if (frame.compiling) {
      changed({ compiling: frame.compiling, needed: true });
      wanted = true;
      await new Promise((resolve) => setTimeout(resolve, 150));
      continue;
    }
    shown = body.generation;
    if (!app.running) pending = Math.max(0, pending - steps);
    const now = performance.now();
    measure(steps, now - last, frame);
    last = now;
    receive(Object.assign(frame, { config: body.config, generation: body.generation }));
    changed({ compiling: frame.programs, needed: false });
    if (frame.programs.busy.length && !app.running) setTimeout(() => ask(), 700);
  }
}

function measure(steps, milliseconds, frame) {
  if (!app.running || !steps) return;
  if (pace() === "auto") {
    const factor = 22 / Math.max(0.1, frame.train_ms);
    updates = Math.min(2000, Math.max(1, updates * Math.min(2, Math.max(0.5, factor))));
  }
  const smooth = (before, value) => (before ? 0.9 * before + 0.1 * value : value);
  speed.fps = smooth(speed.fps, 1000 / milliseconds);
  speed.rate = smooth(speed.rate, (1000 * steps) / milliseconds);
}

// Takes a frame: new points, a row of the curves, then everything is drawn.
export function receive(frame) {
  if (frame.x) {
    [app.x, app.y, app.known] = [frame.x, frame.y, frame.data];
    app.sample = Math.min(app.sample, frame.n - 1);
  }
  const rows = app.history;
  const goesOn = app.frame && frame.generation === app.frame.generation && frame.step >= app.frame.step;
  if (!goesOn || (rows.length && rows.at(-1).data !== frame.data)) rows.length = 0;
  if (rows.length && rows.at(-1).step === frame.step) rows.pop();
  rows.push({ step: frame.step, data: frame.data, loss: parts(frame, "loss"), accuracy: parts(frame, "accuracy") });
  if (rows.length > 400) rows.splice(0, rows.length, ...rows.filter((_, i) => i % 2 === 0 || i === rows.length - 1));
  app.frame = frame;
  if (app.walk && frame.pass) app.walk.pass = frame.pass;
  changed("frame");
}

// The 10th, 50th and 90th percentile over the networks that are finite, for each part.
function parts(frame, name) {
  const n = frame.finite.length;
  return [0, 1, 2].map((part) => quantiles([...frame[name].subarray(part * n, part * n + n)].filter((_, i) => frame.finite[i])));
}

export function quantiles(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const at = (q) => (sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : null);
  return [at(0.1), at(0.5), at(0.9)];
}
