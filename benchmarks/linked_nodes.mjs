// The algorithm of TensorFlow Playground (Smilkov and Carter, 2016), written from its description:
// units are objects joined by link objects; a sample goes forward and backward unit by unit, the
// derivatives add up in units and links, and after a batch each takes a step down their mean.
// Reads one JSON object from standard input, and writes the weights after training and the seconds:
//   {networks: [[{weight: [out][in], bias: [out]}, ...], ...], x: [n][features], y: [n] of 0 and 1,
//    batches: [updates][batch] of row numbers, rate, warm: networks to train before the clock}
import { readFileSync } from "node:fs";

const TANH = { output: Math.tanh, derivative: (s) => 1 - Math.tanh(s) ** 2 };
const LINEAR = { output: (s) => s, derivative: () => 1 };

class Link {
  constructor(source, target, weight) {
    Object.assign(this, { source, target, weight, summed: 0, count: 0 });
  }
}

class Unit {
  constructor(bias, activation) {
    Object.assign(this, { bias, activation, inputs: [], outputs: [] });
    Object.assign(this, { total: 0, output: 0, byTotal: 0, byOutput: 0, summed: 0, count: 0 });
  }

  forward() {
    this.total = this.bias;
    for (const link of this.inputs) this.total += link.weight * link.source.output;
    this.output = this.activation.output(this.total);
  }
}

export function built(layers) {
  const units = [layers[0].weight[0].map(() => new Unit(0, LINEAR))];
  layers.forEach(({ weight, bias }, l) => {
    const activation = l === layers.length - 1 ? LINEAR : TANH;
    units.push(bias.map((b, u) => {
      const unit = new Unit(b, activation);
      unit.inputs = units[l].map((source, i) => new Link(source, unit, weight[u][i]));
      for (const link of unit.inputs) link.source.outputs.push(link);
      return unit;
    }));
  });
  return units;
}

function forward(units, x) {
  units[0].forEach((unit, i) => (unit.output = x[i]));
  for (let l = 1; l < units.length; l++) for (const unit of units[l]) unit.forward();
}

// From the derivative of the loss by the output: logistic cross-entropy, so probability less label.
function backward(units, y) {
  const out = units.at(-1)[0];
  out.byOutput = 1 / (1 + Math.exp(-out.output)) - y;
  for (let l = units.length - 1; l > 0; l--) {
    for (const unit of units[l]) {
      unit.byTotal = unit.byOutput * unit.activation.derivative(unit.total);
      unit.summed += unit.byTotal;
      unit.count++;
      for (const link of unit.inputs) {
        link.summed += unit.byTotal * link.source.output;
        link.count++;
      }
    }
    if (l === 1) continue;
    for (const unit of units[l - 1]) {
      unit.byOutput = 0;
      for (const link of unit.outputs) unit.byOutput += link.weight * link.target.byTotal;
    }
  }
}

function update(units, rate) {
  for (let l = 1; l < units.length; l++) {
    for (const unit of units[l]) {
      unit.bias -= (rate * unit.summed) / unit.count;
      unit.summed = unit.count = 0;
      for (const link of unit.inputs) {
        link.weight -= (rate * link.summed) / link.count;
        link.summed = link.count = 0;
      }
    }
  }
}

export function trained(layers, { x, y, batches, rate }) {
  const units = built(layers);
  for (const rows of batches) {
    for (const row of rows) {
      forward(units, x[row]);
      backward(units, y[row]);
    }
    update(units, rate);
  }
  return units.slice(1).map((layer) => ({
    weight: layer.map((unit) => unit.inputs.map((link) => link.weight)),
    bias: layer.map((unit) => unit.bias),
  }));
}

const asked = JSON.parse(readFileSync(0, "utf8"));
asked.networks.slice(0, asked.warm).forEach((layers) => trained(layers, asked));
const start = performance.now();
const networks = asked.networks.map((layers) => trained(layers, asked));
console.log(JSON.stringify({ seconds: (performance.now() - start) / 1e3, networks }));
