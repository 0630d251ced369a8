"""Stores that go past the cache: whole 64-byte lines are written without being read first."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from sep_trader.qfh.kernels.layout import kernel

LINE = 16  # float32 values in a line


@intrinsic
def _store_line(_context: Any, target: Any, at: Any, source: Any, offset: Any) -> Any:
    """Copy 16 float32 from source[offset:] to target[at:], whose address must be a multiple of 64 bytes."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        line = ir.VectorType(ir.FloatType(), LINE).as_pointer()
        to = context.make_array(target)(context, builder, arguments[0]).data
        of = context.make_array(source)(context, builder, arguments[2]).data
        value = builder.load(builder.bitcast(builder.gep(of, [arguments[3]]), line), align=4)
        stored = builder.store(value, builder.bitcast(builder.gep(to, [arguments[1]]), line), align=64)
        stored.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp), generate


store_line: Any = _store_line


@kernel
def stream_out(source, target, at, n):  # type: ignore[no-untyped-def]
    """Copy n float32 from the start of source to target[at:], rounded up to whole lines, which target must hold.

    A loop for single values behind this one keeps the processor from combining the writes: 2 to 6 times slower.
    """
    for i in range(0, n, LINE):
        store_line(target, at + i, source, i)
