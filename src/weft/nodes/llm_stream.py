"""What a person sees of a reply while it comes."""

from __future__ import annotations

from weft.events import ReasoningStreamed
from weft.nodes.context import Context
from weft.nodes.model_call import ReplySink
from weft.nodes.reasoning import ReasoningSplitter


class TaggedSink(ReplySink):
    """Streams everything as text; thoughts that the service sends apart are put between tags."""

    __slots__ = ("_end_stream", "_stream", "_thinking")

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._stream = context.stream
        self._end_stream = context.end_stream
        self._thinking = False

    def text(self, piece: str) -> None:
        """The text goes on; a thought before it is over."""
        if self._thinking:
            self._thinking = False
            piece = "\n</think>" + piece
        self.pieces.append(piece)
        self._stream("text", piece)

    def reasoning(self, piece: str) -> None:
        """A thought becomes part of the text."""
        if not self._thinking:
            self._thinking = True
            piece = "<think>\n" + piece
        self.pieces.append(piece)
        self._stream("text", piece)

    def finish(self) -> None:
        """Close what is open."""
        if self._thinking:
            self.text("")
        self._end_stream("text")


class SeparatedSink(ReplySink):
    """Streams the answer as text and thoughts as events of their own."""

    __slots__ = ("_apart", "_context", "_splitter", "_stream")

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._stream = context.stream
        self._splitter = ReasoningSplitter()
        self._apart = False
        """The last piece was a thought that came apart from the text."""

    def text(self, piece: str) -> None:
        """The text goes on; it may hold thoughts."""
        if self._apart:
            self._apart = False
            self._splitter.end_block()
        self._pass_on(*self._splitter.feed(piece))

    def reasoning(self, piece: str) -> None:
        """A thought."""
        self._apart = True
        self._pass_on("", self._splitter.think(piece))

    def finish(self) -> None:
        """Give out what was held back, and close what is open."""
        self._pass_on(*self._splitter.finish())
        self._close_reasoning()
        self._context.end_stream("text")

    def break_off(self) -> None:
        """No more thoughts come; the text stays open, as another attempt may go on with it."""
        self._close_reasoning()

    def _pass_on(self, text: str, thought: str) -> None:
        if text:
            self.pieces.append(text)
            self._stream("text", text)
        if thought:
            self.thoughts.append(thought)
            self._context.emit(ReasoningStreamed(text=thought, node_id=self._context.node_id))

    def _close_reasoning(self) -> None:
        if self.thoughts:
            self._context.emit(ReasoningStreamed(text="", node_id=self._context.node_id, is_final=True))
