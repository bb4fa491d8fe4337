"""Running strangers' code: the ``code`` node of a chatflow.

Code arrives as text, with JSON values to call its function ``main`` with, and leaves as JSON values. In
between it gets a process of its own that can compute and nothing else.

::

    server                    zygote                        child, one per call
    ConfinedSandbox           started by exec, once;        forked; steps behind the walls,
      slots, retry     order  clean interpreter, no    fork reads a request, runs it,
      ZygoteProcess  -------> environment, one socket -----> answers, ends
           |                                                  |
           +------------ request and reply, a socket ---------+

The zygote never sees a request, and was started by exec, so there is nothing of the server in it: no memory,
no descriptors, no environment. Forking it is quick because everything needed is imported already. One
child always waits, confined, for the next call. If the zygote dies, the next call starts another, and calls
that were running are run again, which is harmless because they can have done nothing.

The walls around a child, each of which holds by itself against most of what the others hold against:

* Landlock: no file can be opened but for reading, and only the standard library, time zones, the libraries
  these are linked against and the folders of `packages`; no TCP; no signals to the outside.
* seccomp: an allow-list of system calls (`inside.syscalls`). No sockets, programs, processes, writing,
  signals, tracing, mounting, name spaces, privileges.
* user: started as root, the child becomes a user id that nobody else has; otherwise it stays the ordinary
  user that the server is. No capabilities, no new privileges, never uid 0. Not dumpable.
* resources: address space, processor time, threads, descriptors, file size 0 (`SandboxLimits`); time on the
  wall and the size of the reply are watched from the server.
* nothing inherited: three descriptors of the null device, the call's channel, the folders to import from (as
  paths without a right to read); empty environment; own session.

Before the first call a child of the zygote tries to get out. If that succeeds, or a part of the confinement
is not to be had (no Linux, no Landlock, no seccomp, a root that cannot become anybody else), `Sandbox.run`
raises `SandboxUnavailableError` saying what to change; code is never run open.

What the walls do not hide: whether a path exists, its size and times, the ids of processes, the name of the
machine and its kernel. What they do not stop: using up the processor time that the limits grant.

JavaScript runs in QuickJS inside the very same kind of child. It has the language's own library and a silent
``console``; no timers, no modules, nothing of Node or of a browser.
"""

from weft.sandbox.limits import SandboxLimits
from weft.sandbox.opening import open_sandbox
from weft.sandbox.port import Language, Sandbox

__all__ = ["Language", "Sandbox", "SandboxLimits", "open_sandbox"]
