"""Configurations that are the lectures' pictures, each an address."""

PRESETS = (
    {
        "title": "Two spirals",
        "text": "64 networks of 2 x 8 units: where do they agree?",
        "address": "",
    },
    {
        "title": "XOR (L1)",
        "text": "The smallest network that solves it; weights of L1's solution.",
        "address": "problem=xor&noise=0.05&widths=2&networks=16&activation=sigmoid",
        "weights": {
            "hidden_0": {"weight": [[20, 20], [-20, -20]], "bias": [-10, 30]},
            "output": {"weight": [[20, 20]], "bias": [-30]},
        },
    },
)
