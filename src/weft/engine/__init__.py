"""Running a graph: who is ready, what each node says, what the answer looks like on the way, how it ends.

The engine gets a graph, a pool, services and somewhere to put events. It knows no HTTP and no database, and
it does not say when a run begins or is over: whoever owns the run does, once its record is on disk.
"""

from weft.engine.engine import Engine, RunOutcome, change_variables
from weft.engine.saved import FORMAT, SavedRun, awaited_keys, load_saved

__all__ = ["FORMAT", "Engine", "RunOutcome", "SavedRun", "awaited_keys", "change_variables", "load_saved"]
