// Numbers as text.
export function num(v) {
  if (v === null || !Number.isFinite(v)) return "∞";
  const a = Math.abs(v);
  let text;
  if (v !== 0 && (a < 0.001 || a >= 1e5)) text = v.toExponential(1);
  else if (v !== 0 && a < 0.1) text = v.toPrecision(2);
  else text = v.toFixed(a >= 100 ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : 3);
  return text.replace(/-/g, "−");
}
export const signed = (v) => (v < 0 ? `(${num(v)})` : num(v));
export const clean = (v) => (typeof v === "number" ? Number(v.toPrecision(4)) : v);
const DIGITS = "₀₁₂₃₄₅₆₇₈₉";
export const sub = (i) => String(i).replace(/\d/g, (d) => DIGITS[d]);
export const FEATURE_TEXT = {
  x1: "x₁", x2: "x₂", x1_squared: "x₁²", x2_squared: "x₂²", x1_x2: "x₁x₂", sin_x1: "sin πx₁", sin_x2: "sin πx₂",
};
export const FEATURE = {
  x1: (a) => a, x2: (a, b) => b, x1_squared: (a) => a * a, x2_squared: (a, b) => b * b, x1_x2: (a, b) => a * b,
  sin_x1: (a) => Math.sin(Math.PI * a), sin_x2: (a, b) => Math.sin(Math.PI * b),
};
