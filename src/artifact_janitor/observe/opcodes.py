"""What torch's pickle would build, told from its opcodes: nothing is unpickled (S14).

Followed is only what ``torch.load(weights_only=True)`` follows, opcodes and globals alike. Of
what they build, plain values stand for themselves, and all else is `OPAQUE`.
"""

from __future__ import annotations

import pickletools
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from artifact_janitor.units import quoted

MOST = 4_000_000
"""Opcodes that are followed: a tensor takes about twenty."""


class Opaque:
    """Whatever is no plain value; `OPAQUE` is the only one."""


OPAQUE: Final = Opaque()

# torch/_weights_only_unpickler.py, _get_allowed_globals, of torch 2.6 to 2.13
_REBUILD = """
    parameter parameter_with_state qtensor tensor tensor_v2 tensor_v3 sparse_tensor
    meta_tensor_no_storage nested_tensor wrapper_subclass device_tensor_from_numpy
    device_tensor_from_cpu_tensor
"""
_ALLOWED = frozenset(
    """
    collections.OrderedDict collections.Counter torch.nn.parameter.Parameter
    torch.serialization._get_layout torch.Size torch.Tensor torch.device _codecs.encode
    builtins.bytearray builtins.set builtins.complex __builtin__.bytearray __builtin__.set
    __builtin__.complex torch._tensor._rebuild_from_type_v2 torch.storage.UntypedStorage
    torch.storage.TypedStorage
    """.split()
) | {f"torch._utils._rebuild_{each}" for each in _REBUILD.split()}
_TORCH = re.compile(
    r"torch\.(?:(?:cuda\.|sparse\.)*[A-Z][A-Za-z0-9]*(?:Storage|Tensor)"
    r"|b?float(?:16|32|64|8_[a-z0-9]+|4_[a-z0-9]+)|u?int[1-9][0-9]?|complex(?:32|64|128)|bool"
    r"|double|half|float|long|int|short|q(?:u?int(?:8|32|4x2|2x4))"
    r"|per_(?:tensor|channel)_(?:affine|symmetric|affine_float_qparams))"
)
"""Storages, tensor classes, dtypes and kinds of quantization."""


class Flawed(ValueError):
    """Why a pickle, or the file around it, is not to be loaded."""


class Named(NamedTuple):
    """A class or function that a pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def is_allowed(name: str) -> bool:
    """Whether torch takes it for harmless: ``collections.OrderedDict``, ``torch.FloatStorage``."""
    return name in _ALLOWED or _TORCH.fullmatch(name) is not None


def sketch(pickled: bytes) -> object:
    """What the pickle would build: dicts, lists, tuples and plain values, the rest `OPAQUE`.

    Raises Flawed, with the reason, for what torch would not load with ``weights_only=True``.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(pickled)):
            if count > MOST:
                raise Flawed("its pickle has too many parts")
            machine.follow(opcode.name, argument)
    except Flawed:
        raise
    except (ValueError, struct.error, IndexError, KeyError, TypeError, OverflowError) as error:
        raise Flawed("its pickle is damaged") from error
    return machine.built


class _Mark:
    """Where a tuple, or what goes into a list or dict, begins."""


_MARK: Final = _Mark()
_CONSTANTS = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": (),
    "EMPTY_SET": OPAQUE,
}
_PLAIN = frozenset("BININT BININT1 BININT2 BINFLOAT BINUNICODE SHORT_BINSTRING LONG1".split())
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """The stack and the memo of an unpickler that calls nothing."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self.built: object = OPAQUE

    def follow(self, opcode: str, argument: Any) -> None:
        if opcode in _PLAIN:
            self._stack.append(argument)
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode])
        elif opcode in _TUPLES:
            self._tuple(_TUPLES[opcode])
        elif opcode in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif opcode == "GLOBAL":
            self._stack.append(_checked(argument))
        elif (step := _STEPS.get(opcode)) is not None:
            step(self)
        elif opcode != "PROTO":
            raise Flawed(f"its pickle uses {opcode}, which no file of plain tensors needs")

    def _tuple(self, count: int) -> None:
        parts = tuple(self._stack[-count:])
        if len(parts) < count:
            raise IndexError
        self._stack[-count:] = [parts]

    def _since_mark(self) -> list[Any]:
        """Looked for from the top: what is below is as large as an attacker likes."""
        found: list[Any] = []
        while (each := self._stack.pop()) is not _MARK:
            found.append(each)
        return found[::-1]

    def _call(self) -> None:
        """REDUCE and NEWOBJ: only an empty dict is made, as ``OrderedDict()`` would."""
        self._stack.pop()
        called = self._stack.pop()
        if not isinstance(called, Named):
            raise Flawed("its pickle calls what it does not name")
        self._stack.append({} if called.name == "OrderedDict" else OPAQUE)

    def _set(self, parts: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            for key, value in zip(parts[::2], parts[1::2], strict=True):
                target[key if isinstance(key, str | int) else OPAQUE] = value

    def _append(self, parts: list[Any]) -> None:
        if isinstance(self._stack[-1], list):
            self._stack[-1] += parts

    def _set_one(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def _persistent(self) -> None:
        """A storage: its tuple is replaced by it."""
        self._stack[-1] = OPAQUE

    def _stop(self) -> None:
        self.built = self._stack.pop()


_STEPS: dict[str, Callable[[_Machine], Any]] = {
    "MARK": lambda machine: machine._stack.append(_MARK),
    "EMPTY_DICT": lambda machine: machine._stack.append({}),
    "EMPTY_LIST": lambda machine: machine._stack.append([]),
    "TUPLE": lambda machine: machine._stack.append(tuple(machine._since_mark())),
    "SETITEM": _Machine._set_one,
    "SETITEMS": lambda machine: machine._set(machine._since_mark()),
    "APPEND": lambda machine: machine._append([machine._stack.pop()]),
    "APPENDS": lambda machine: machine._append(machine._since_mark()),
    "REDUCE": _Machine._call,
    "NEWOBJ": _Machine._call,
    "BUILD": lambda machine: machine._stack.pop(),
    "BINPERSID": _Machine._persistent,
    "STOP": _Machine._stop,
}


def _checked(argument: str) -> Named:
    """``pickletools`` writes "module name" for the two lines of GLOBAL."""
    module, _, name = argument.partition(" ")
    if not is_allowed(f"{module}.{name}"):
        said = quoted(f"{module}.{name}")
        raise Flawed(f"it names {said}: only tensors and plain values load with weights_only=True")
    return Named(module, name)


def names(built: object) -> Iterator[str]:
    """The names at the top of what was built, where that is a dict."""
    if isinstance(built, dict):
        yield from (key for key in built if isinstance(key, str))
