#!/usr/bin/env bash
# Compiles the CUDA kernels to sm_80 and sm_90 PTX and assembles them, without a card: registers and spills of each.
# The compiler is wheels in an environment of its own, .cache/cuda; the driver is not needed.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3} folder=.cache/cuda

if [ ! -e "$folder/.installed" ]; then
    "$python" -m venv "$folder"
    "$folder/bin/pip" install --quiet --constraint <(grep -E '^(numba|numba-cuda|numpy|llvmlite)==' constraints.txt) \
        numba numpy "numba-cuda[cu12]>=0.20" nvidia-cuda-nvcc-cu12
    touch "$folder/.installed"
fi

# One process a target: device functions are compiled once and kept.
for target in 8.0 9.0; do
PYTHONPATH=src "$folder/bin/python" - "$target" <<'PYTHON'
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

from numba import cuda, float64, int8, int16, int32, int64, types, uint16, uint32, void
from numba.cuda import dispatcher

from sep_trader.research.kernels import cuda_kernels as kernels

major, minor = map(int, sys.argv[1].split("."))
# Told the target of a kernel, numba-cuda still asks the card what to compile the device functions for.
dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=(major, minor))
i8, i16, i32, i64, f8, u2, u4 = int8, int16, int32, int64, float64, uint16, uint32
market = types.Tuple((u4[:, :, ::1], u2[:, ::1], f8[:, ::1], f8[::1], f8[:, ::1]))
sets = types.Tuple((i64[::1],) * 5 + (f8[::1],) * 2)
found = (i32[:, ::1], i32[:, ::1], f8[:, :, ::1])
SIGNATURES = {
    "make_prices": void(
        f8[::1], f8[::1], f8[::1], f8[::1], i32[::1], f8[::1], i32[::1], i64[::1], f8[:, ::1], f8[:, ::1], f8[:, ::1]
    ),
    "make_minima": void(f8[:, ::1], i64, f8[:, ::1]),
    "pack_bits": void(i8[::1], u4[::1]),
    "propose": void(
        u4[::1], i8[::1], i16[::1], i8[:, ::1], i64[:, ::1], i64[::1], f8[::1], i64[::1], f8[:, ::1], f8, f8,
        u4[:, :, ::1]
    ),
    "any_proposals": void(u4[:, :, ::1], i64, u4[:, ::1]),
    "make_tables": void(
        f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], i64[::1], u4[:, ::1], i32[::1], i64[::1], f8[:, ::1], f8[::1],
        f8[::1], i64[::1], u2[:, ::1]
    ),
    "walk_parts": void(i32[:, ::1], i64[:, ::1], i64[::1], market, sets, *found),
    "repair": void(i64[:, ::1], i32[::1], market, sets, *found, i64[::1]),
    "join": void(i64[:, ::1], market, sets, *found, f8[:, :, ::1]),
}
assembler = next(Path(p, "nvidia/cuda_nvcc/bin/ptxas") for p in sys.path if Path(p, "nvidia/cuda_nvcc/bin/ptxas").exists())
if major == 8:
    print(f"numba {version('numba')}, numba-cuda {version('numba-cuda')}, compiler {version('nvidia-cuda-nvcc-cu12')}")
    print(f"{'kernel':14} {'target':7} {'PTX lines':>9} {'registers':>9} {'stack B':>8} {'spill B stored':>14} {'loaded':>7}")
for name, signature in SIGNATURES.items():
    ptx, _ = cuda.compile(getattr(kernels, name).py_func, signature, device=False, abi="numba", cc=(major, minor))
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "kernel.ptx")
        source.write_text(ptx)
        command = [assembler, "-v", f"--gpu-name=sm_{major}{minor}", source, "-o", Path(scratch, "kernel.cubin")]
        done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode:
        sys.exit(f"{name}, sm_{major}{minor}: {said}")
    # One line for each function that was not inlined: the most registers, the sum of the rest.
    registers = max(int(used) for used in re.findall(r"Used (\d+) registers", said))
    found = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said)
    stack, stored, loaded = (sum(int(one) for one in column) for column in zip(*found, strict=True))
    print(f"{name:14} sm_{major}{minor}   {ptx.count(chr(10)):9} {registers:>9} {stack:>8} {stored:>14} {loaded:>7}")
PYTHON
done
