# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The cost of each operation in instructions: the bench kernel of each width as dom0 of Paravane and of genuine Xen.

    bench.py                 all rows beside genuine Xen; fails while a row costs more than half of Xen's best column
    bench.py --quick         our own rows beside the last recorded ones; fails when one became dearer
    bench.py --record WHY    our own rows go into the history, with the reason
    bench.py --crowd         some operations beside 1 to 1,000 sleeping domains; fails when one is not flat

Genuine Xen is Debian's binary for 64-bit guests, and the same source with 32-bit guests (built_xen.py) for both widths; a
row's best column is the cheapest of the three. floors.tsv names rows that cannot be had for less, history.tsv what they
cost over time. With -icount one tick of the time stamp counter is one instruction.
"""
import argparse
import concurrent.futures
import contextlib
import gzip
import io
import os
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(__file__)
BUILD = os.environ.get("BUILD", "build")
XEN = "/boot/xen-4.17-amd64.gz"
XEN32_TABLE = os.path.join(HERE, "xen32.tsv")
HISTORY = os.path.join(HERE, "history.tsv")
FLOORS = os.path.join(HERE, "floors.tsv")
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm"]
SUBJECTS = [("", 1), ("domains", 1), ("wake", 2)]
HALF = 0.5
DEARER, NOISE = 1.02, 2
FLAT = 1.10
LIMIT = 400


def machine(hypervisor, width, subject, cpus):
    """The rows that one boot prints."""
    output = boot(hypervisor, width, subject, cpus)
    return dict(row_of(line) for line in output.replace("(XEN) ", "").splitlines() if line.startswith("row "))


def boot(hypervisor, width, subject, cpus, memory="512"):
    """What one boot prints, up to the end of the measuring."""
    bench = f"{BUILD}/guest{width}/bench"
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", memory, "-smp", str(cpus), "-display", "none",
               "-serial", "stdio", "-monitor", "none", "-no-reboot", "-nic", "none", *ICOUNT, "-kernel", hypervisor,
               "-append", f"console=com1 dom0_mem=256M dom0_max_vcpus={cpus} noreboot", "-initrd",
               f"{bench} {subject},{bench}" if subject else bench]
    # A hypervisor that cannot switch the machine off leaves QEMU running: the last line of the guest is the end.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    guard = threading.Timer(LIMIT, process.kill)
    guard.start()
    output = ""
    for line in process.stdout:
        output += line.decode(errors="replace")
        if "bench done" in line.decode(errors="replace") or "dom0 crashed" in output[-200:].lower():
            break
    guard.cancel()
    process.kill()
    process.wait()
    if "bench done" not in output or "failed: " in output:
        sys.exit(f"bench: {hypervisor} with {width}-bit {bench} {subject} failed:\n{output[-2000:]}")
    return output


def row_of(line):
    name, cost = line[len("row "):].rsplit(None, 1)
    return name, int(cost)


def crowd():
    """BUILD/bench/crowd.tsv, for plots: domains, then what four operations cost beside so many."""
    output = boot(f"{BUILD}/paravane", 64, "crowd", 1, "3584")
    table_of = {}
    for line in output.splitlines():
        words = line.split()
        if len(words) == 4 and words[0] == "crowd":
            table_of.setdefault(int(words[1]), []).append((words[2], words[3]))
    os.makedirs(f"{BUILD}/bench", exist_ok=True)
    with open(f"{BUILD}/bench/crowd.tsv", "w", encoding="utf-8") as file:
        for count, costs in table_of.items():
            file.write("\t".join([str(count), *(cost for _, cost in costs)]) + "\n")
            print(f"beside {count} sleeping domains: " + ", ".join(f"{name} {cost}" for name, cost in costs))
    first, last = list(table_of.values())[0], list(table_of.values())[-1]
    return 0 if all(int(b[1]) <= int(a[1]) * FLAT for a, b in zip(first, last)) and max(table_of) == 1000 else 1


def measure(columns):
    """{column: {row: instructions}} for {column: (hypervisor, width)}, two machines at a time."""
    rows = {column: {} for column in columns}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = {pool.submit(machine, hypervisor, width, *subject): column
                   for subject in reversed(SUBJECTS) for column, (hypervisor, width) in columns.items()}
        for done in concurrent.futures.as_completed(running):
            rows[running[done]].update(done.result())
    return rows


def table(path):
    """The lines of a file of words between tabs."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file if line.strip() and not line.startswith("#")]


def ours():
    return {"64": (f"{BUILD}/paravane", 64), "32": (f"{BUILD}/paravane", 32)}


def xen_with_32_bit_guests():
    """The path of its image, or None and the reason said."""
    sys.path.insert(0, os.path.join(HERE, "..", "rival"))
    import built_xen  # pylint: disable=import-outside-toplevel
    words = io.StringIO()
    try:
        with contextlib.redirect_stdout(words):
            return built_xen.image("pv32")
    except SystemExit as end:
        print(f"{words.getvalue()}{end}\nThe 32-bit column of genuine Xen is taken from {os.path.relpath(XEN32_TABLE)}: "
              "what it was measured to cost when its source could be had.")
        return None


def rivals(directory):
    """The columns of genuine Xen that this machine can measure."""
    image = os.path.join(directory, "xen")
    with gzip.open(XEN) as packed, open(image, "wb") as file:
        file.write(packed.read())
    columns = {"Xen 64": (image, 64)}
    built = xen_with_32_bit_guests()
    if built:
        columns |= {"Xen+32 64": (built, 64), "Xen 32": (built, 32)}
    return columns


def floors():
    """{(row, width): sentence}"""
    return {(row, width): why for row, width, _, why in table(FLOORS)}


def cell(value, width=9):
    return f"{value if value is not None else '-':>{width}}"


def compare(mine, others):
    """Prints the table; how many rows are over one half without an argued floor."""
    argued, over, worst, total, apart = floors(), [], (0.0, "none"), 0, []
    print(f"{'operation':46}{'ours 64':>9}{'ours 32':>9}" + "".join(f"{name:>11}" for name in others)
          + f"{'ratio 64':>10}{'ratio 32':>9}")
    for name in dict.fromkeys([*mine["64"], *mine["32"]]):
        best = min((rows[name] for rows in others.values() if name in rows), default=None)
        ratios = {width: mine[width][name] / best for width in mine if name in mine[width] and best}
        for width, ratio in ratios.items():
            if (name, width) in argued:
                apart.append(f"  {name}, {width}-bit: {mine[width][name]}, {ratio:.2f} of {best}: {argued[name, width]}")
                continue
            total += 1
            worst = max(worst, (ratio, f"{name}, {width}-bit"))
            if ratio > HALF:
                over.append(f"  {name}, {width}-bit: {mine[width][name]} of at most {best // 2}")
        print(f"{name:46}" + cell(mine["64"].get(name)) + cell(mine["32"].get(name))
              + "".join(cell(rows.get(name), 11) for rows in others.values())
              + "".join(f"{ratios[width]:{size}.3f}" if width in ratios else cell(None, size)
                        for width, size in (("64", 10), ("32", 9))))
    if apart:
        print("\nRows with an argued floor (docs/cost.md):", *apart, sep="\n")
    if over:
        print("\nRows over one half of genuine Xen's best column:", *over, sep="\n")
    print(f"\nworst ratio {worst[0]:.2f} ({worst[1]}), {len(over)} of {total} rows over 0.50")
    return len(over)


def keep(mine, others):
    """BUILD/bench/rows.tsv, for plots: row, our share of the best column in either width."""
    os.makedirs(f"{BUILD}/bench", exist_ok=True)
    with open(f"{BUILD}/bench/rows.tsv", "w", encoding="utf-8") as file:
        for name in dict.fromkeys([*mine["64"], *mine["32"]]):
            best = min((rows[name] for rows in others.values() if name in rows), default=None)
            shares = [f"{mine[width][name] / best:.3f}" if name in mine[width] and best else "?" for width in ("64", "32")]
            file.write("\t".join([name, *shares]) + "\n")


def recorded():
    """{(row, width): instructions} as the history says last, and the number of the last state."""
    last, state = {}, 0
    for number, width, row, cost in table(HISTORY):
        state = int(number)
        if row != "why":
            last[row, width] = int(cost)
    return last, state


def flat(mine):
    return {(row, width): cost for width, rows in mine.items() for row, cost in rows.items()}


def quick():
    """Our own rows beside the recorded ones; how many are dearer or gone."""
    now, (last, state) = flat(measure(ours())), recorded()
    dearer = [(key, cost, now.get(key)) for key, cost in last.items()
              if key not in now or (now[key] > cost * DEARER and now[key] > cost + NOISE)]
    cheaper = sum(now[key] * DEARER < cost for key, cost in last.items() if key in now)
    for (row, width), cost, found in dearer:
        print(f"  {row}, {width}-bit: {found if found is not None else 'not measured'}; recorded: {cost}")
    print(f"bench: {len(now)} rows; since state {state} of {os.path.relpath(HISTORY)} {len(dearer)} became dearer, "
          f"{cheaper} cheaper by over 2 %")
    if dearer:
        print('make bench-record WHY="..." says why and records the new cost.')
    print(f"{len(last) - len(dearer)} passed, {len(dearer)} failed")
    return len(dearer)


def record(why):
    """Appends the rows that changed since the last state."""
    now, (last, state) = flat(measure(ours())), recorded()
    changed = {key: cost for key, cost in now.items() if last.get(key) != cost}
    if not changed:
        print("bench: nothing changed since the last recorded state")
        return 0
    with open(HISTORY, "a", encoding="utf-8") as file:
        file.write(f"{state + 1}\t-\twhy\t{' '.join(why.split())}\n")
        for (row, width), cost in changed.items():
            file.write(f"{state + 1}\t{width}\t{row}\t{cost}\n")
    print(f"bench: state {state + 1}, {len(changed)} rows that changed: {why}")
    return 0


def full():
    with tempfile.TemporaryDirectory() as directory:
        columns = rivals(directory)
        rows = measure(ours() | columns)
    others = {name: rows[name] for name in columns}
    if "Xen 32" not in others:
        others["Xen 32"] = {name: int(cost) for name, cost in table(XEN32_TABLE)}
    mine = {width: rows[width] for width in ours()}
    keep(mine, others)
    return compare(mine, others)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--record", metavar="WHY")
    parser.add_argument("--crowd", action="store_true")
    options = parser.parse_args()
    if options.record is not None and not options.record.strip():
        sys.exit('bench: say why: make bench-record WHY="..."')
    if options.record:
        return record(options.record)
    if options.crowd:
        return crowd()
    return 1 if (quick() if options.quick else full()) else 0


if __name__ == "__main__":
    sys.exit(main())
