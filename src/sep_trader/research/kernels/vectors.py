"""Two vector instructions that no compiler finds in a loop, for the CPU's search of first passages."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-untyped-def"

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic

from sep_trader.research.kernels.scalar import FINE

# A type checker does not see numba's types, which an intrinsic is called with.
intrinsic: Any = numba_intrinsic
MASK, REALS = ir.IntType(64), ir.VectorType(ir.DoubleType(), FINE)


@intrinsic
def at_or_below(_context: Any, values: Any, first: Any, level: Any) -> Any:
    """Which of the FINE values from `first` on are at a level or below it: bit k for the k-th. values: float64[N]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, place, wanted = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        pointer = builder.bitcast(builder.gep(data, [place]), REALS.as_pointer())
        found = builder.load(pointer, align=8)
        one = builder.insert_element(ir.Constant(REALS, ir.Undefined), wanted, ir.Constant(ir.IntType(32), 0))
        spread = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), FINE), [0] * FINE))
        truth = builder.fcmp_ordered("<=", found, spread)
        return builder.zext(builder.bitcast(truth, ir.IntType(FINE)), MASK)

    return types.int64(values, types.int64, types.float64), generate


@intrinsic
def lowest_bit(_context: Any, mask: Any) -> Any:
    """The number of the lowest bit that is set; 64 for none."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], cgutils.false_bit)

    return types.int64(types.int64), generate
