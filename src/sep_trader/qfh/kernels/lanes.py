"""Sixteen values at a time: operators that write vector instructions, for loops that no compiler vectorises well.

An intrinsic of numba gets its arguments as LLVM values. `Lanes` lets it say a + b instead of builder.add(a, b). LLVM
splits a vector of sixteen into the registers that the processor has.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"

from collections.abc import Sequence
from typing import Any, Self

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic

LINE = 16
"""Values of one vector; sixteen float32 fill one 64-byte line of the cache."""

# A type checker does not see numba's types, which an intrinsic is called with.
intrinsic: Any = numba_intrinsic
BYTE, INT, REAL = ir.IntType(8), ir.IntType(32), ir.FloatType()


class Lanes:
    """One vector of sixteen int32, float32 or truth values; its operators append instructions to the program."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    @property
    def real(self) -> bool:
        """Whether these are float32."""
        return isinstance(self.value.type.element, ir.FloatType)

    def like(self, other: Any) -> Any:
        """The vector of another operand: Lanes, a number, or a scalar of the compiled program."""
        if isinstance(other, Lanes):
            return other.value
        if isinstance(other, int | float):
            element = self.value.type.element
            return ir.Constant(self.value.type, [ir.Constant(element, float(other) if self.real else other)] * LINE)
        return splat(self.builder, other).value

    def _do(self, integers: str, reals: str, other: Any) -> "Lanes":
        write = getattr(self.builder, reals if self.real else integers)
        return Lanes(self.builder, write(self.value, self.like(other)))

    def __add__(self, other: Any) -> "Lanes":
        return self._do("add", "fadd", other)

    def __sub__(self, other: Any) -> "Lanes":
        return self._do("sub", "fsub", other)

    def __rsub__(self, other: Any) -> "Lanes":
        return Lanes(self.builder, self.like(other)) - self

    def __mul__(self, other: Any) -> "Lanes":
        return self._do("mul", "fmul", other)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> "Lanes":
        return self._do("sdiv", "fdiv", other)

    def __and__(self, other: Any) -> "Lanes":
        return self._do("and_", "", other)

    def __or__(self, other: Any) -> "Lanes":
        return self._do("or_", "", other)

    def __xor__(self, other: Any) -> "Lanes":
        return self._do("xor", "", other)

    def __lshift__(self, other: int) -> "Lanes":
        return self._do("shl", "", other)

    def __rshift__(self, other: int) -> "Lanes":
        """Shift, keeping the sign."""
        return self._do("ashr", "", other)

    def __ge__(self, other: Any) -> "Lanes":
        return self._compare(">=", other)

    def __gt__(self, other: Any) -> "Lanes":
        return self._compare(">", other)

    def _compare(self, sign: str, other: Any) -> "Lanes":
        write = self.builder.fcmp_ordered if self.real else self.builder.icmp_signed
        return Lanes(self.builder, write(sign, self.value, self.like(other)))

    def where(self, condition: "Lanes", other: Any) -> "Lanes":
        """These where the condition holds, and `other` elsewhere."""
        return Lanes(self.builder, self.builder.select(condition.value, self.value, self.like(other)))

    def at_least(self, low: float) -> "Lanes":
        return self.where(self > low, low)

    def at_most(self, high: float) -> "Lanes":
        return Lanes(self.builder, self.like(high)).where(self > high, self)

    def times_plus(self, factor: Any, addend: Any) -> "Lanes":
        """self * factor + addend, rounded once where the processor can."""
        kind = self.value.type
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fmuladd.v{LINE}f32"
        )
        return Lanes(self.builder, self.builder.call(function, [self.value, self.like(factor), self.like(addend)]))

    def to_real(self) -> "Lanes":
        """Integers as float32."""
        return Lanes(self.builder, self.builder.sitofp(self.value, ir.VectorType(REAL, LINE)))

    def to_int(self) -> "Lanes":
        """Float32 as integers, towards zero."""
        return Lanes(self.builder, self.builder.fptosi(self.value, ir.VectorType(INT, LINE)))

    def lane(self, index: int) -> Any:
        """One of the values, a scalar of the compiled program."""
        return self.builder.extract_element(self.value, ir.Constant(INT, index))

    def moved_up(self, places: int) -> "Lanes":
        """Each value `places` lanes further up; zeros come in."""
        take = [place - places if place >= places else LINE for place in range(LINE)]
        zeros = ir.Constant(self.value.type, None)
        mask = ir.Constant(ir.VectorType(INT, LINE), take)
        return Lanes(self.builder, self.builder.shuffle_vector(self.value, zeros, mask))

    def running_sum(self) -> "Lanes":
        """The sum of each value and those before it, in four steps."""
        total = self
        for places in (1, 2, 4, 8):
            total = total + total.moved_up(places)
        return total

    def look_up(self, table: Any) -> "Lanes":
        """The float32 of a table at these indices."""
        found = ir.Constant(ir.VectorType(REAL, LINE), ir.Undefined)
        for index in range(LINE):
            entry = self.builder.load(self.builder.gep(table, [self.builder.zext(self.lane(index), ir.IntType(64))]))
            found = self.builder.insert_element(found, entry, ir.Constant(INT, index))
        return Lanes(self.builder, found)

    def least(self) -> Any:
        """The smallest of sixteen int32, a scalar of the compiled program."""
        return self._reduce("smin")

    def most(self) -> Any:
        """The largest of sixteen int32, a scalar of the compiled program."""
        return self._reduce("smax")

    def _reduce(self, name: str) -> Any:
        kind = ir.FunctionType(INT, [self.value.type])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.vector.reduce.{name}.v{LINE}i32")
        return self.builder.call(function, [self.value])

    def store(self, base: Any, at: Any, *, past_cache: bool = False) -> None:
        """Write to base[at:]. past_cache: the address is a multiple of 64 bytes, and nobody reads it soon."""
        value = self.value
        if value.type.element == ir.IntType(1):
            value = self.builder.zext(value, ir.VectorType(BYTE, LINE))
        target = self.builder.bitcast(self.builder.gep(base, [at]), value.type.as_pointer())
        stored = self.builder.store(value, target, align=64 if past_cache else 1)
        if past_cache:
            stored.set_metadata("nontemporal", self.builder.module.add_metadata([ir.Constant(INT, 1)]))

    @classmethod
    def of(cls, builder: Any, number: float) -> Self:
        """The same float32 in every lane."""
        return cls(builder, ir.Constant(ir.VectorType(REAL, LINE), [ir.Constant(REAL, number)] * LINE))

    @classmethod
    def load(cls, builder: Any, base: Any, at: Any, kind: Any = INT) -> Self:
        """Read base[at:]; bytes become int32."""
        vector = ir.VectorType(kind, LINE)
        value = builder.load(builder.bitcast(builder.gep(base, [at]), vector.as_pointer()), align=1)
        return cls(builder, builder.sext(value, ir.VectorType(INT, LINE)) if kind == BYTE else value)


class Variable:
    """A vector that changes while the compiled program runs."""

    def __init__(self, first: Lanes) -> None:
        self._builder = first.builder
        self._place = cgutils.alloca_once_value(first.builder, first.value)

    def get(self) -> Lanes:
        """Its value now."""
        return Lanes(self._builder, self._builder.load(self._place))

    def set(self, lanes: Lanes) -> None:
        """Give it another value."""
        self._builder.store(lanes.value, self._place)


def splat(builder: Any, scalar: Any) -> Lanes:
    """A scalar of the compiled program in every lane."""
    undefined = ir.Constant(ir.VectorType(scalar.type, LINE), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(INT, 0))
    return Lanes(builder, builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(INT, LINE), [0] * LINE)))


class Argument:
    """An argument of an intrinsic: a number, an array, or a NamedTuple whose fields are attributes here."""

    __slots__ = ("_context", "builder", "kind", "value")

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        self._context, self.builder, self.kind, self.value = context, builder, kind, value

    def __getattr__(self, field: str) -> "Argument":
        index = self.kind.fields.index(field)
        value = self.builder.extract_value(self.value, index)
        return Argument(self._context, self.builder, self.kind.types[index], value)

    @property
    def data(self) -> Any:
        """The address of an array's first element."""
        return self._array.data

    @property
    def row_length(self) -> Any:
        """The number of columns of a matrix."""
        return cgutils.unpack_tuple(self.builder, self._array.shape)[1]

    @property
    def int32(self) -> Any:
        """An integer cut to 32 bits, the width of the lanes."""
        return self.builder.trunc(self.value, INT)

    @property
    def _array(self) -> Any:
        return self._context.make_array(self.kind)(self._context, self.builder, self.value)


def arguments_of(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> list[Argument]:
    """The arguments of an intrinsic, in the order of its signature."""
    return [Argument(context, builder, kind, value) for kind, value in zip(signature.args, values, strict=True)]


@intrinsic
def fetch_ahead(_context: Any, array: Any, at: Any) -> Any:
    """Ask for the cache line of array[at], which may lie behind the end: it is read some time later."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at = arguments_of(context, builder, signature, arguments)
        place = builder.gep(array.data, [at.value])
        address = builder.bitcast(place, BYTE.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, INT, INT, INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # To read, to be kept, data.
        builder.call(function, [address, ir.Constant(INT, 0), ir.Constant(INT, 3), ir.Constant(INT, 1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
