# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The page's part on growing machines, and its small figures: what scaling.py has measured."""

import html
import math
import re

LINES = ("#c0392b", "#2c6fbb", "#3a8a4d", "#8e5bb5", "#d08a1d", "#555555", "#17a2a2", "#b5577b")
WIDTH, HEIGHT, LEFT, TOP = 720, 300, 90, 14


def curve(series, unit):
    """An SVG of lines on two logarithmic axes: series is {name: [(x, y)]}."""
    xs = sorted({x for points in series.values() for x, _ in points})
    ys = [y for points in series.values() for _, y in points]
    low, high = math.log(min(ys)) - 0.1, math.log(max(ys)) + 0.1

    def place(x, y):
        across = (math.log(x) - math.log(xs[0])) / max(math.log(xs[-1]) - math.log(xs[0]), 1e-9)
        return LEFT + across * WIDTH, TOP + (high - math.log(y)) / (high - low) * HEIGHT

    out = [f'<svg viewBox="0 0 1040 {HEIGHT + 50}" width="100%" role="img">',
           f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#ccc"/>']
    for x in xs:
        at, _ = place(x, ys[0])
        out.append(f'<text x="{at:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle" font-size="12">{x:g}</text>')
    out.append(f'<text x="{LEFT + WIDTH / 2}" y="{TOP + HEIGHT + 34}" text-anchor="middle" font-size="12">{unit}</text>')
    for power in range(math.ceil(low / math.log(10)), math.floor(high / math.log(10)) + 1):
        for factor in (1, 2, 5):
            if low < math.log(factor * 10**power) < high:
                _, at = place(xs[0], factor * 10**power)
                out.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{at:.1f}" y2="{at:.1f}" stroke="#eee"/>'
                           f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" font-size="12">{factor * 10**power:,}</text>')
    for i, (name, points) in enumerate(series.items()):
        colour = LINES[i % len(LINES)]
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in sorted(points))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="{LEFT + WIDTH + 12}" y="{TOP + 16 + 18 * i}" font-size="13" fill="{colour}">{html.escape(name)}</text>')
    return "\n".join(out) + "\n</svg>"


def number(text):
    return float(re.search(r"\d+", text).group())


def curves(values, text, kind, unit, at):
    """For each kind of load a chart with a line for each contender."""
    series = {}
    for name, of in values.items():
        points = [(at(load), of[load]["instructions"]) for load in of if load.startswith(kind)] if of else []
        if points:
            series[text(name)] = points
    return curve(series, unit) if series else ""


def growth(table, values, head):
    """A table: what an I/O costs against what has grown, and how far it is from where it began."""
    measured = {n: of for n, of in values.items() if of}
    first = next(iter(measured.values()))
    return table([head] + list(first), [(False, [n] + [f"{of[load]['instructions']:,.0f} ({(of[load]['instructions'] / first[load]['instructions'] - 1) * 100:+.1f} %)"
                                                       for load in first]) for n, of in measured.items()])


def content(scaling, table, text):
    """table: page.py's; text: a contender's name for people."""
    values = {part: of["values"] for part, of in scaling.items()}
    if "depth" in values:
        yield "<h2>Against queue depth</h2><p>Random reads of 4 KiB, instructions for each:</p>"
        yield curves(values["depth"], text, "rr", "queue depth", lambda load: number(load.partition(":")[2]))
        yield "<p>Random writes of 4 KiB:</p>" + curves(values["depth"], text, "rw", "queue depth", lambda load: number(load.partition(":")[2]))
    if "size" in values:
        yield "<h2>Against the size of requests</h2><p>Sequential reads at queue depth 32, instructions for each request:</p>"
        yield curves(values["size"], text, "sr", "KiB", number) + "<p>Sequential writes:</p>" + curves(values["size"], text, "sw", "KiB", number)
    for part, title, head in (("guests", "Against guests", "guests"), ("memory", "Against the machine's memory", "MiB")):
        if any(values.get(part, {}).values()):
            yield f"<h2>{title}</h2><p>Tessera, pooled. Instructions for each I/O of one guest; the other guests are idle, with a disk each.</p>"
            yield growth(table, values[part], head)
    if any(values.get("tokens", {}).values()):
        yield "<h2>Tokens alone</h2><p>The hypervisor's instructions for each page of 64, so many in a call, while so many other tokens are alive:</p>"
        measured = {n: of for n, of in values["tokens"].items() if of}
        first = next(iter(measured.values()))
        yield table(["alive"] + list(first), [(False, [n] + [f"{of[op]['hv']:,.0f}" for op in first]) for n, of in measured.items()])
    if any(values.get("start", {}).values()):
        measured = {n: of for n, of in values["start"].items() if of}
        heads = list(dict.fromkeys(what for of in measured.values() for what in of))
        yield "<h2>Boots and forks</h2><p>Instructions from reset to the host's first program, with the same image; of a "
        yield "process that is forked, writes 256 pages and ends, in the host; from the start of a guest until its first program runs.</p>"
        yield table([""] + heads, [(n.startswith("tessera"), [text(n)] + [f"{of[what]:,.0f}" if what in of else "" for what in heads])
                                   for n, of in measured.items()])
