"""A small plot of the PSNR during a fit."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 280, 80, 4
MOST_POINTS = 150


def curve_svg(points: Sequence[tuple[float, float]]) -> str:
    """PSNR in dB against the finished fraction of the work, as SVG; empty for fewer than two points."""
    if len(points) < 2:
        return ""
    last = points[-1]
    step = max(1, len(points) // MOST_POINTS)
    kept = [*points[::step], last]
    values = [value for _, value in kept]
    low, high = min(values), max(max(values), min(values) + 0.1)
    wide, tall = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    corners = " ".join(f"{MARGIN + x * wide:.1f},{MARGIN + (high - y) / (high - low) * tall:.1f}" for x, y in kept)
    return (
        f'<svg class="rsmoe-curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>PSNR in dB while the model is '
        f"fitted; it rises as the squared error (the loss) falls.</title>"
        f'<polyline points="{corners}"/><text x="{WIDTH - 6}" y="{HEIGHT - 8}">{last[1]:.2f} dB</text>'
        f'<text x="{WIDTH - 6}" y="{HEIGHT - 22}">{low:.2f} to {max(values):.2f}</text></svg>'
    )
