"""From a template to Python: Jinja's own compiler, made to count and to ask.

Every block of statements begins by spending what it will take, in proportion to its size, and every
operator that can grow its result goes through the rendering's context. Nothing is worked out while compiling,
where nobody counts.
"""

# ruff: noqa: N802  (the names are those of the nodes that are visited)

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import TemplateSyntaxError

from weft.nodes.jinja.meter import MAX_INTEGER_BITS

_NODES_PER_STEP = 8
_CHARS_PER_STEP = 512
_SLOW: Mapping[type[nodes.Node], int] = {
    nodes.Call: 8,
    nodes.Filter: 8,
    nodes.Test: 8,
    nodes.Getattr: 4,
    nodes.Getitem: 4,
    nodes.Compare: 4,
    nodes.Concat: 8,
    nodes.Dict: 4,
    nodes.List: 2,
}
"""Nodes that count for several."""
_REFUSED = (
    nodes.Extends,
    nodes.FromImport,
    nodes.Import,
    nodes.Include,
    nodes.ScopedEvalContextModifier,
    nodes.EvalContextModifier,
)
_NAMES = {
    "Extends": "extends",
    "FromImport": "from",
    "Import": "import",
    "Include": "include",
    "ScopedEvalContextModifier": "autoescape",
    "EvalContextModifier": "autoescape",
}


def check_tree(tree: nodes.Template) -> None:
    """Refuse what a template by itself cannot have.

    Raises:
        TemplateSyntaxError: It refers to other templates, changes how texts are escaped, or has a number with
            more than a thousand digits in it.
    """
    for node in tree.find_all((*_REFUSED, nodes.Const)):
        if not isinstance(node, nodes.Const):
            raise TemplateSyntaxError(
                f"the tag {_NAMES[type(node).__name__]!r} is not available here", node.lineno
            )
        if isinstance(node.value, int) and node.value.bit_length() > MAX_INTEGER_BITS:
            raise TemplateSyntaxError("a number has more than a thousand digits", node.lineno)


class MeteredCode(CodeGenerator):
    """Writes the Python of a template."""

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        """Write statements, after what they cost."""
        statements = list(nodes)
        # The outermost ones run once and are no more than the template has.
        if not frame.rootlevel:
            self.writeline(f"context.tick({_cost(statements)})")
        super().blockvisit(statements, frame)

    def visit_For(self, node: nodes.For, frame: Frame) -> None:
        """Write a loop; one with a condition pays for the items that it leaves out, too."""
        if node.test is not None:
            mark = nodes.ExtensionAttribute(str(_cost([node.test])), "tick", lineno=node.lineno)
            node.test = nodes.And(mark, node.test, lineno=node.lineno)
        super().visit_For(node, frame)

    def visit_ExtensionAttribute(self, node: nodes.ExtensionAttribute, frame: Frame) -> None:
        """Write the mark that `visit_For` has made; templates of ours have no other."""
        self.write(f"context.tick({node.identifier})")

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:
        """Write a call."""
        self.write("context.invoke(")
        self.visit(node.node, frame)
        self.signature(node, frame, {"caller": "caller"} if forward_caller else None)
        self.write(")")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        """Write the joining of texts."""
        self.write("context.join((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
        """Write a comparison, or a chain of them."""
        is_chain = len(node.ops) > 1
        self.write("context.compare_chain(" if is_chain else "context.compare(")
        self.visit(node.expr, frame)
        for step in node.ops:
            self.write(f", ({step.op!r}, lambda: " if is_chain else f", {step.op!r}, ")
            self.visit(step.expr, frame)
            self.write(")" if is_chain else "")
        self.write(")")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        """Write a look-up or a slice."""
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("context.cut(")
        self.visit(node.node, frame)
        self.write(", slice(")
        for bound in (node.arg.start, node.arg.stop, node.arg.step):
            if bound is None:
                self.write("None")
            else:
                self.visit(bound, frame)
            self.write(", ")
        self.write("))")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        """Write an object."""
        self.write("{")
        for item in node.items:
            is_plain = isinstance(item.key, nodes.Const)
            self.write("" if is_plain else "context.key(")
            self.visit(item.key, frame)
            self.write(": " if is_plain else "): ")
            self.visit(item.value, frame)
            self.write(", ")
        self.write("}")

    def _output_child_to_const(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)

    def _output_child_pre(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        self.write("context.show(")

    def _output_child_post(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        self.write(")")


def _cost(block: Iterable[nodes.Node]) -> int:
    """Steps that nodes take, all that stands in them included; at least one."""
    count = chars = 0
    stack = list(block)
    while stack:
        item = stack.pop()
        count += _SLOW.get(type(item), 1)
        if isinstance(item, nodes.TemplateData):
            chars += len(item.data)
        stack.extend(item.iter_child_nodes())
    return 1 + count // _NODES_PER_STEP + chars // _CHARS_PER_STEP
