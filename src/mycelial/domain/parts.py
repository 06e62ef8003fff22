"""Helpers compiled as parts: code that only other kernels call is optimised once, within them, and never on its own.

Numba optimises every function it compiles together with all that it calls, turns it into machine code, and does so
again one level up: a helper at the bottom of ten levels is optimised ten times, and most of that is thrown away. A part
is only translated to LLVM's language. Whoever Python enters links the parts it needs, each once, and is optimised as
a whole. The machine code is the same in all that matters; half of the time to compile is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import NativeLowering

_OF_NO_USE = {
    *(untyped_passes.WithLifting, untyped_passes.InlineClosureLikes, untyped_passes.RewriteSemanticConstants),
    *(untyped_passes.DeadBranchPrune, untyped_passes.RewriteDynamicRaises, untyped_passes.MakeFunctionToJitFunction),
    *(untyped_passes.InlineInlinables, untyped_passes.FindLiterallyCalls, untyped_passes.LiteralUnroll),
    *(untyped_passes.LiteralPropagationSubPipelinePass, typed_passes.NopythonRewrites),
}


class _Quiet:
    """A code generator that is not told of environments: no machine code of a part will ask for one."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def set_env(self, name: str, env: Any) -> None:
        """Do nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)


class _Part(JITCodeLibrary):
    """The code of one function, waiting to be linked."""

    _own: Any = None
    _shared_module: Any

    @property
    def codegen(self) -> Any:
        return _Quiet(self._codegen)

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in self._linking_libraries:
            self._reload_init.update(library._reload_init)
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0

    def _get_module_for_linking(self) -> Any:
        """Return the code of this part and of all it needs."""
        self._ensure_finalized()
        if self._shared_module is None:
            whole = self._alone().clone()
            for library in self._needed({id(self)}):
                code = library._alone() if isinstance(library, _Part) else library._get_module_for_linking()
                whole.link_in(code, preserve=True)
            self._shared_module = whole
        return self._shared_module

    def _alone(self) -> Any:
        """Return the code of this part, such that several modules may hold it."""
        if self._own is None:
            self._own = super()._get_module_for_linking()
            self._shared_module = None
        return self._own

    def _needed(self, seen: set[int]) -> Iterator[Any]:
        for library in self._linking_libraries:
            if id(library) not in seen:
                seen.add(id(library))
                yield library
                if isinstance(library, _Part):
                    yield from library._needed(seen)


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):
    """Lowers a function into a part."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        if state.library is None:
            state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
        return bool(NativeLowering.run_pass(self, state))


class PartCompiler(CompilerBase):
    """Numba's own compiler without the steps that plain functions of numbers and records have no use for.

    Kernels hold no closures, context managers, array expressions or functions to be inlined at this stage. Each step
    left out would look through the whole function again. The last step makes a part.
    """

    def define_pipelines(self) -> list[Any]:
        usual, ours = DefaultPassBuilder.define_nopython_pipeline(self.state), PassManager("part")
        for step, what in usual.passes:
            if step not in _OF_NO_USE:
                ours.add_pass(_PartLowering if step is NativeLowering else step, what)
        ours.finalize()
        return [ours]
