"""When the pieces of an answer may be shown.

Every answer or end node has a session: its template cut into plain texts and variables. A session opens as
soon as some way from the start to its node has nothing left on it that could still turn the run away; open
sessions stream one after the other, never mixed. What a model says is passed on piece by piece; any other
value is shown once, when it is there.

Source: Dify workflow engine, response stream coordination. Where that would wait for a variable that never
comes, the node's own completion releases the rest, so that what was streamed is what is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from weft.engine.saved import SavedSession, SavedSource, SavedStream
from weft.events import Frame, TextStreamed
from weft.graph import Edge, FramePlan, GraphNode, Response
from weft.nodes import Node
from weft.variables import MISSING, RESERVED, Selector, VariablePool, freeze, render_markdown, thaw

Emit = Callable[[TextStreamed], None]
AnyNode = Node[Any]


class _Source:
    """The pieces of one output, as far as they have come."""

    __slots__ = ("closed", "node_id", "pieces", "selector")

    def __init__(self, selector: Selector) -> None:
        self.selector = selector
        self.node_id = selector[0]
        self.pieces: list[str] = []
        self.closed = False


class _Session:
    """How far one response has been shown."""

    __slots__ = ("cursor", "finished", "opened", "position", "response")

    def __init__(self, response: Response[AnyNode]) -> None:
        self.response = response
        self.position = 0
        """Index of the segment to show next."""
        self.cursor = 0
        """Pieces of that segment's source that were shown."""
        self.opened = False
        self.finished = False
        """The node itself has run, so nothing more comes."""


class AnswerStream:
    """The sessions of one frame."""

    __slots__ = (
        "_active",
        "_emit",
        "_frame",
        "_live",
        "_plan",
        "_pool",
        "_queue",
        "_reach",
        "_sessions",
        "_skipped",
        "_sources",
        "_taken",
    )

    def __init__(self, plan: FramePlan[AnyNode], pool: VariablePool, frame: Frame, emit: Emit) -> None:
        self._plan = plan
        self._pool = pool
        self._frame = frame
        self._emit = emit
        self._sources = {selector: _Source(selector) for selector in plan.sources}
        self._sessions = {response.node.id: _Session(response) for response in plan.responses}
        self._queue: deque[_Session] = deque()
        self._active: _Session | None = None
        self._live: _Source | None = None
        """The source that the active session waits for; its pieces are passed straight on."""
        self._skipped: set[str] = set()
        self._taken: set[Edge[AnyNode]] = set()
        self._reach: list[set[GraphNode[AnyNode]]] = [set() for _ in plan.barriers]

    def start(self) -> None:
        """Open what nothing can hold back."""
        for barrier in range(len(self._reach)):
            self._spread(barrier, self._plan.start)
        self._open()

    def save(self) -> SavedStream:
        """How far everything has been shown."""
        places = {edge: (node.id, place) for node in self._plan.nodes for place, edge in enumerate(node.out)}
        return SavedStream(
            sources=[
                SavedSource(
                    selector=source.selector,
                    pieces=[freeze(piece) for piece in source.pieces],
                    closed=source.closed,
                )
                for source in self._sources.values()
                if source.pieces or source.closed
            ],
            sessions=[
                SavedSession(
                    node_id=node_id,
                    position=session.position,
                    cursor=session.cursor,
                    opened=session.opened,
                    finished=session.finished,
                )
                for node_id, session in self._sessions.items()
            ],
            queue=[session.response.node.id for session in self._queue],
            active=None if self._active is None else self._active.response.node.id,
            skipped=sorted(self._skipped),
            taken=[places[edge] for edge in self._taken],
        )

    def restore(self, saved: SavedStream) -> None:
        """Go on where `save` was called, without showing anything again."""
        nodes = {node.id: node for node in self._plan.nodes}
        for kept in saved.sources:
            source = self._sources[kept.selector]
            source.pieces = [str(thaw(piece)) for piece in kept.pieces]
            source.closed = kept.closed
        for shown in saved.sessions:
            session = self._sessions[shown.node_id]
            session.position, session.cursor = shown.position, shown.cursor
            session.opened, session.finished = shown.opened, shown.finished
        self._queue = deque(self._sessions[node_id] for node_id in saved.queue)
        self._skipped = set(saved.skipped)
        self._taken = {nodes[node_id].out[place] for node_id, place in saved.taken}
        for barrier in range(len(self._reach)):
            self._spread(barrier, self._plan.start)
        if saved.active is not None:
            self._active = self._sessions[saved.active]
            segment = self._active.response.segments[self._active.position]
            self._live = None if isinstance(segment, str) else self._sources[segment]

    def take(self, edge: Edge[AnyNode]) -> None:
        """An edge is taken: the run goes that way."""
        grown = False
        for barrier, reach in enumerate(self._reach):
            if self._holds_back(edge, barrier):
                self._taken.add(edge)
                if edge.source in reach and edge.target not in reach:
                    self._spread(barrier, edge.target)
                    grown = True
        if grown:
            self._open()

    def skip(self, node_id: str) -> None:
        """A node will not run."""
        self._skipped.add(node_id)
        session = self._sessions.get(node_id)
        if session is not None:
            session.position = len(session.response.segments)
        if self._active is not None:
            self._flush()

    def piece(self, selector: Selector, text: str) -> None:
        """An output grows by a piece."""
        source = self._sources.get(selector)
        if source is None or source.closed:
            return
        source.pieces.append(text)
        if source is self._live and self._active is not None:
            self._active.cursor += 1
            self._emit(TextStreamed(text, selector, source.node_id, self._frame))

    def close(self, selector: Selector) -> None:
        """An output is complete; one last empty piece says so."""
        source = self._sources.get(selector)
        if source is None or source.closed:
            return
        if source.pieces:
            self.piece(selector, "")
        source.closed = True
        if source is self._live:
            self._flush()

    def done(self, node: GraphNode[AnyNode]) -> None:
        """A node has ended and its outputs are in the pool."""
        for selector, source in self._sources.items():
            if selector[0] == node.id and source.pieces and not source.closed:
                self.close(selector)
        session = self._sessions.get(node.id)
        if session is not None:
            session.finished = True
            if not session.opened:
                session.opened = True
                self._queue.append(session)
        self._flush()

    def drain(self) -> None:
        """Nothing more will happen: show what finished nodes have left unsaid."""
        self._queue = deque(session for session in self._queue if session.finished)
        if self._active is not None and not self._active.finished:
            self._active = None
        self._flush()

    def shows(self, selector: Selector) -> bool:
        """Whether a session that has been opened shows that variable."""
        return any(
            session.opened and selector in session.response.segments for session in self._sessions.values()
        )

    def _holds_back(self, edge: Edge[AnyNode], barrier: int) -> bool:
        return edge.blocking or edge.source.id in self._plan.barriers[barrier]

    def _spread(self, barrier: int, node: GraphNode[AnyNode]) -> None:
        reach = self._reach[barrier]
        reach.add(node)
        stack = [node]
        while stack:
            for edge in stack.pop().out:
                if edge.target in reach or (self._holds_back(edge, barrier) and edge not in self._taken):
                    continue
                reach.add(edge.target)
                stack.append(edge.target)

    def _open(self) -> None:
        for session in self._sessions.values():
            if not session.opened and session.response.node in self._reach[session.response.barrier]:
                session.opened = True
                self._queue.append(session)
        self._flush()

    def _flush(self) -> None:
        """Show as much as can be shown, going on to the next session where one is complete."""
        while True:
            if self._active is None:
                if not self._queue:
                    return
                self._active = self._queue.popleft()
            self._live = None
            if not self._show(self._active):
                return
            self._active = None

    def _show(self, session: _Session) -> bool:
        segments = session.response.segments
        while session.position < len(segments):
            segment = segments[session.position]
            if isinstance(segment, str):
                self._say(segment, session)
            elif not self._show_variable(segment, session):
                return False
            session.position += 1
            session.cursor = 0
        return True

    def _show_variable(self, selector: Selector, session: _Session) -> bool:
        """Show what there is of a variable; false if more may come."""
        if selector[0] in self._skipped:
            return True
        source = self._sources[selector]
        pieces = source.pieces
        while session.cursor < len(pieces):
            session.cursor += 1
            self._emit(TextStreamed(pieces[session.cursor - 1], selector, source.node_id, self._frame))
        if source.closed and pieces:
            return True
        if not pieces:
            value = self._pool.find(selector)
            if value is not MISSING:
                text = render_markdown(value)
                if text:
                    node_id = session.response.node.id if selector[0] in RESERVED else selector[0]
                    self._emit(TextStreamed(text, selector, node_id, self._frame))
                return True
        if session.finished:
            if not pieces and session.response.node.type == "answer":
                self._say(".".join(selector), session)
            return True
        self._live = source
        return False

    def _say(self, text: str, session: _Session) -> None:
        node_id = session.response.node.id
        self._emit(TextStreamed(text, (node_id, "answer"), node_id, self._frame))
