"""How functions are compiled for the processor: plain loops over NumPy arrays, by Numba.

Every operation is rounded by itself in the order that is written, so results are the same bits on every
processor; `numerics.scalars.fma` says where a product and a sum are rounded once.

Compiled code is kept in `__pycache__` beside the sources, else in the user's cache directory, else not
at all. It is compiled anew for another processor (Numba sees to that) and when the source of any
function that this module compiles has changed: a compiled function contains those that it calls.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
import numba.extending
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserWideCacheLocator,
)
from numba.core.event import Listener, register

Function = TypeVar("Function", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parent.parent


@functools.cache
def _sources_hash() -> str:
    """Return a hash of llvmlite's version and of every source file that compiles functions."""
    texts = [path.read_bytes() for path in sorted(_PACKAGE.rglob("*.py"))]
    kernels = [text for text in texts if b"compiled" in text]
    return hashlib.sha256(llvmlite.__version__.encode() + b"\0".join(kernels)).hexdigest()


class _InTree(InTreeCacheLocator):
    def get_source_stamp(self) -> str:
        return _sources_hash()


class _UserWide(UserWideCacheLocator):
    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        # A user without a home would get a folder of the name `~` in the current directory.
        if not Path(os.path.expanduser("~")).is_absolute():
            return None
        return super().from_function(py_func, py_file)  # type: ignore[no-untyped-call]

    def get_source_stamp(self) -> str:
        return _sources_hash()


class _Implementation(CompileResultCacheImpl):
    _locator_classes = [_InTree, _UserWide]  # noqa: RUF012


class _Cache(FunctionCache):
    """Numba's cache of a function, but that a file that cannot be read or written only costs time."""

    _impl_class = _Implementation

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # a damaged file raises whatever its bytes happen to mean
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            _warn_once(str(error))


@functools.cache
def _warn_once(reason: str) -> None:
    warnings.warn(f"Compiled code is not kept and will be compiled again: {reason}", stacklevel=2)


class _WithoutCollector(Listener):
    """Stops Python's garbage collector while Numba compiles, where it takes an eighth of the time."""

    def __init__(self) -> None:
        self._compiling, self._was_enabled = 0, False

    def on_start(self, event: Any) -> None:  # noqa: ARG002
        if not self._compiling:
            self._was_enabled = gc.isenabled()
            gc.disable()
        self._compiling += 1

    def on_end(self, event: Any) -> None:  # noqa: ARG002
        self._compiling -= 1
        if not self._compiling and self._was_enabled:
            gc.enable()


register("numba:compile", _WithoutCollector())


class _Compiler:
    def __init__(self, **options: Any) -> None:
        self._decorate = numba.njit(nogil=True, error_model="numpy", **options)

    def __call__(self, function: Function) -> Function:
        dispatcher: Any = self._decorate(function)
        try:
            dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call]
        except RuntimeError:  # no directory can be written
            _warn_once(f"neither {_PACKAGE} nor the user's cache directory can be written")
        return cast(Function, dispatcher)


compiled = _Compiler()
borrowing = _Compiler(_nrt=False)
"""The same for functions that allocate no arrays: they do not count references to those they are given,
which costs as much as a small product. Call them from Python or from one another only."""

merged = _Compiler(_nrt=False, inline="always")
"""The same for functions that become a part of each caller: a call that hands on many arrays takes
longer to compile than what it calls. From compiled functions only."""

inlined = _Compiler(forceinline=True)
"""The same for functions that are compiled into their callers, whose loops then compute several numbers
at once."""

intrinsic: Callable[[Callable[..., Any]], Any] = numba.extending.intrinsic
"""Makes a function that emits LLVM code callable from compiled ones."""


def c_function(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator to a C function of a Numba signature, compiled at once and kept."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.cfunc(signature, cache=True)(function)
        except RuntimeError:  # no directory can be written
            _warn_once(f"neither {_PACKAGE} nor the user's cache directory can be written")
            return numba.cfunc(signature)(function)

    return decorate
