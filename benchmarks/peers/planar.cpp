// Networks 2-H-1 (tanh, binary cross-entropy, Adam, full batch), one after another on each thread.
// The compiler's vectors over samples, in blocks that stay in the first-level cache; tanh and exp of
// glibc's vector library.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

namespace {
constexpr int H = 10, P = 4 * H + 1, BLOCK = 256;
// Places of W1 [H, 2], b1 [H], W2 [1, H] and b2 in the parameters of a network.
constexpr int B1 = 2 * H, W2 = 3 * H, B2 = 4 * H;

// Adds the gradients of the sum of losses over `c` samples; returns that sum.
float block(const float* __restrict x0, const float* __restrict x1, const float* __restrict y,
            int c, const float* __restrict p, float* __restrict g) {
  alignas(64) float h[H][BLOCK], out[BLOCK], d[BLOCK];
  for (int i = 0; i < c; i++) out[i] = p[B2];
  for (int k = 0; k < H; k++) {
    const float w0 = p[2 * k], w1 = p[2 * k + 1], b = p[B1 + k], u = p[W2 + k];
    for (int i = 0; i < c; i++) {
      const float z = tanhf(w0 * x0[i] + w1 * x1[i] + b);
      h[k][i] = z;
      out[i] += u * z;
    }
  }
  float loss = 0, db = 0;
  for (int i = 0; i < c; i++) {
    const float e = expf(-fabsf(out[i])), s = (out[i] > 0 ? 1.f : e) / (1.f + e);
    loss += fmaxf(out[i], 0.f) - out[i] * y[i] + logf(1.f + e);
    d[i] = s - y[i];
    db += d[i];
  }
  g[B2] += db;
  for (int k = 0; k < H; k++) {
    const float u = p[W2 + k];
    float g0 = 0, g1 = 0, gb = 0, gu = 0;
    for (int i = 0; i < c; i++) {
      const float z = h[k][i], e = d[i] * u * (1 - z * z);
      gu += d[i] * z;
      gb += e;
      g0 += e * x0[i];
      g1 += e * x1[i];
    }
    g[2 * k] += g0, g[2 * k + 1] += g1, g[B1 + k] += gb, g[W2 + k] += gu;
  }
  return loss;
}

float train(const float* x, const float* y, int n, int epochs, float rate, float* p) {
  float m[P] = {}, v[P] = {}, loss = 0;
  for (int t = 1; t <= epochs; t++) {
    float g[P] = {};
    loss = 0;
    for (int s = 0; s < n; s += BLOCK)
      loss += block(x + s, x + n + s, y + s, std::min(BLOCK, n - s), p, g);
    const float c1 = 1 / (1 - std::pow(.9f, t)), c2 = 1 / (1 - std::pow(.999f, t));
    for (int i = 0; i < P; i++) {
      const float e = g[i] / n;
      m[i] = .9f * m[i] + .1f * e;
      v[i] = .999f * v[i] + .001f * e * e;
      p[i] -= rate * m[i] * c1 / (std::sqrt(v[i] * c2) + 1e-8f);
    }
  }
  return loss / n;
}
}  // namespace

// x [2, n], y [n]; params [networks, P], trained in place; losses [networks] of the last epoch.
extern "C" void planar(const float* x, const float* y, int n, int networks, int epochs, float rate,
                       int threads, float* params, float* losses) {
  std::atomic<int> next{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; t++)
    all.emplace_back([&] {
      for (int i; (i = next++) < networks;)
        losses[i] = train(x, y, n, epochs, rate, params + i * P);
    });
  for (auto& one : all) one.join();
}
