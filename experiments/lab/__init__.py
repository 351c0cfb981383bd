"""The laboratory: claims, configurations, runs, the scorecard and the gallery."""
