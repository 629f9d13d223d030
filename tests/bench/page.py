# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The results as one page of HTML: charts drawn here, nothing loaded from elsewhere."""

import html
import os

import page_scaling
from contenders import BENCH, CONTENDERS
from results import PARTS

FILE = os.path.join(BENCH, "results.html")
COLOURS = {"hv": "#c0392b", "host_kernel": "#2c6fbb", "host_user": "#8db8e8", "guest_kernel": "#3a8a4d", "guest_user": "#a5d6a7"}
NAMES = {"hv": "hypervisor", "host_kernel": "host kernel", "host_user": "host user space", "guest_kernel": "guest kernel", "guest_user": "guest user space"}
LOADS = {"r": "random", "s": "sequential"}, {"r": "read", "w": "write"}
PRICES = (0, 1000, 2000)  # of a world switch, in instructions
MORE = ("switches", "pv_entries", "vmmcalls_host", "vmmcalls_guest", "shootdowns", "cr3_loads", "invlpg", "halts", "wrmsr", "port_writes",
        "bytes_copied", "bytes_set")

STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 1080px; margin: 2em auto; padding: 0 1em; color: #222 }
h1 { font-size: 1.6em } h2 { font-size: 1.2em; margin-top: 2.2em; border-bottom: 1px solid #ddd }
table { border-collapse: collapse; font-size: 13px; margin: .6em 0 } td, th { padding: 2px 9px; text-align: right; border-bottom: 1px solid #eee }
td:first-child, th:first-child { text-align: left } tr.ours td { font-weight: bold } .key span { margin-right: 1.2em } .small { font-size: 13px; color: #555 }
.scroll { overflow-x: auto }
"""

LIMITS = """
<ul>
<li><b>Instructions are not time.</b> The machine is emulated; an instruction that misses the cache, a world switch and a table walk of two
dimensions each count as one or as nothing. So world switches are shown apart, with what the table would be at a price.</li>
<li><b>One processor.</b> No contender gets anything from a second one, none pays for interrupts and locks between them.</li>
<li><b>The disk is memory of the host's (brd), copied by its processor,</b> and answers at once: no interrupt of a device, no DMA. Only Tessera's machine has
an IOMMU, whose invalidations are in its counts as the instructions that ask for them; the others would have no use for one.</li>
<li>A string instruction counts once for each of its units: a copied page is 512 instructions in a kernel that copies words. Vector instructions
count once however much they do, and AES instructions once a round.</li>
<li>Who executes is followed by VMRUN and by where guests end; a page of code that two domains share would be counted for who ran it first. There is
none here, and a self-test counts loops of known length to the instruction.</li>
<li>AES-256-GCM and AEGIS over dm-integrity protect each sector; they do not see a sector put back to an earlier state, which Tessera's seals do
within an attach. XTS does not see changes at all.</li>
<li>Hosts of peers read and write their guests' memory. The columns compare what an I/O costs, not what it is worth.</li>
</ul>
"""


def load_text(load):
    what, _, depth = load.partition(":")
    return f"{LOADS[0][what[0]]} {LOADS[1][what[1]]} of {what[2:-1]} KiB, queue depth {depth}"


def bars(rows, load):
    """An SVG: a bar for each contender, by part."""
    most = max(of[load]["instructions"] for _, of in rows)
    step, left, width = 22, 340, 590
    out = [f'<svg viewBox="0 0 1040 {len(rows) * step + 6}" width="100%" role="img" aria-label="{load_text(load)}">']
    for i, (contender, of) in enumerate(rows):
        y, x = i * step + 2, left
        weight = ' font-weight="bold"' if contender["ours"] else ""
        out.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end" font-size="13"{weight}>{html.escape(contender["text"])}</text>')
        for part in PARTS:
            w = of[load][part] / most * width
            out.append(f'<rect x="{x:.1f}" y="{y}" width="{w:.1f}" height="{step - 5}" fill="{COLOURS[part]}">'
                       f'<title>{NAMES[part]}: {of[load][part]:,.0f}</title></rect>')
            x += w
        out.append(f'<text x="{x + 6:.1f}" y="{y + 14}" font-size="13"{weight}>{of[load]["instructions"]:,.0f}</text>')
    return "\n".join(out) + "\n</svg>"


def table(head, rows):
    """rows: (ours, cells)."""
    out = ["<div class=scroll><table><tr>" + "".join(f"<th>{html.escape(c)}</th>" for c in head) + "</tr>"]
    for ours, cells in rows:
        out.append(f"<tr{' class=ours' if ours else ''}>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
    return "\n".join(out) + "</table></div>"


def prices(rows, loads):
    for k in PRICES:
        yield f"<p>A world switch costs {k:,} instructions more:</p>"
        yield table([""] + loads, [(c["ours"], [c["text"]] + [f"{of[load]['instructions'] + k * of[load]['switches']:,.0f}" for load in loads])
                                   for c, of in rows])


def hypercalls(rows, loads):
    for contender, of in rows:
        names = sorted({n for load in loads for n in of[load] if n.startswith("hypercall.") and any(of[other].get(n, 0) >= 0.005 for other in loads)})
        if names:
            yield f"<details><summary>{html.escape(contender['text'])}</summary>" + table([""] + loads, [(False, [n[10:]] + [f"{of[load].get(n, 0):.3f}" for load in loads]) for n in names]) + "</details>"


def memory(rows):
    heads = list(dict.fromkeys(name for contender, _ in rows for name in contender["memory_kib"]))
    yield "<p>Kept by the hypervisor, and of Tessera's tables and windows; of the host's daemon (QEMU with KVM) at most.</p>"
    yield table([""] + heads, [(c["ours"], [c["text"]] + [f"{c['memory_kib'][h]:,}" if h in c["memory_kib"] else "" for h in heads])
                               for c, _ in rows if c["memory_kib"]])


def head(found):
    seeds = sorted({len(c["seeds"]) for c in found["contenders"].values()})
    made = sorted({(c["versions"]["tessera"], c["made"]) for c in found["contenders"].values()})
    versions = next(iter(found["contenders"].values()))["versions"]
    yield "<p>Instructions that the whole machine executes for each I/O of a small AIO loop in a guest, until the data is where it belongs. All "
    yield f"contenders on the same emulated machine, kernel and disk; all data verified. Medians of {' or '.join(map(str, seeds))} seeds.</p>"
    yield f"<p class=small>Tessera {html.escape(', '.join(sorted({m[0] for m in made})))}; measured {made[0][1]} to {made[-1][1]}; "
    yield html.escape("; ".join(f"{name} {version}" for name, version in versions.items() if name != "tessera")) + "</p>"


def rows_of(found):
    there = found["contenders"]
    order = [c.name for c in CONTENDERS if c.name in there] + [name for name in there if name not in {c.name for c in CONTENDERS}]
    return [(dict(there[name], ours=name.startswith("tessera")), there[name]["loads"]) for name in order]


def costs(rows):
    # Those that everybody has run.
    loads = max((list(of) for _, of in rows), key=len)
    rows = [(c, of) for c, of in rows if all(load in of for load in loads)]
    yield "<p class=key>" + "".join(f'<span><svg width=12 height=12><rect width=12 height=12 fill="{COLOURS[p]}"/></svg> {NAMES[p]}</span>'
                                    for p in PARTS) + "</p>"
    for load in loads:
        yield f"<h2>{load_text(load)}</h2>"
        yield bars(rows, load)
    yield "<h2>The price of a world switch</h2>"
    yield from prices(rows, loads)
    yield "<h2>What instructions do not price, for each I/O</h2>"
    for load in loads:
        yield f"<details><summary>{load_text(load)}</summary>"
        yield table([""] + [m.replace("_", " ") for m in MORE],
                    [(c["ours"], [c["text"]] + [f"{of[load].get(m, 0):,.{0 if m.startswith('bytes') else 3}f}" for m in MORE]) for c, of in rows]) + "</details>"
    yield "<h2>Memory, KiB</h2>"
    yield from memory(rows)
    yield "<h2>Hypercalls for each I/O</h2>"
    yield from hypercalls(rows, loads)


def content(found):
    yield "<h1>What a sealed I/O costs, beside what a user would pick instead</h1>"
    # Nobody has, where only the scaling was measured.
    if rows := rows_of(found):
        yield from head(found)
        yield from costs(rows)
    if "scaling" in found:
        yield from page_scaling.content(found["scaling"], table, lambda name: found["contenders"].get(name, {}).get("text", name))
    if found["retries"]:
        yield "<h2>Runs that were repeated</h2>"
        yield table(["contender", "seed", "why"], [(False, [r["contender"], str(r["seed"]), r["why"]]) for r in found["retries"]])
    yield "<h2>What these counts do not say</h2>" + LIMITS


def write(found):
    with open(FILE, "w", encoding="utf-8") as f:
        f.write("<!doctype html>\n<!-- SPDX-License-Identifier: BSD-2-Clause-Patent -->\n<html lang=en><meta charset=utf-8>"
                "<title>What a sealed I/O costs</title>\n<style>" + STYLE + "</style>\n")
        f.write("\n".join(content(found)) + "\n</html>\n")
    return FILE
