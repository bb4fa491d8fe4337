"""What strangers' code might try, and how each attempt must end.

Run as a program it makes all attempts in a sandbox of its own and prints a JSON object: name of the attack to
the first line of what came of it. So the same attempts can be made from servers of different users.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import msgspec

from weft.errors import SandboxError
from weft.sandbox import SandboxLimits, open_sandbox

IMPORT_PATH = os.pathsep.join(
    [str(Path(__file__).parents[2] / "src"), *[entry for entry in sys.path if "site-packages" in entry]]
)
"""For servers that are started as processes of their own."""

NO = "PermissionError: [Errno 1] Operation not permitted"
FORBIDDEN = "PermissionError: [Errno 13] Permission denied"
READ_ONLY = "OSError: [Errno 30] Read-only file system"

PREAMBLE = """
import ctypes, os, signal, socket, struct, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
ARM = os.uname().machine == "aarch64"
def call(on_x86_64, on_aarch64, *arguments):
    result = libc.syscall(ctypes.c_long(on_aarch64 if ARM else on_x86_64), *map(ctypes.c_long, arguments))
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def pointer(text):
    return ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value
"""

# name -> (statements of main, how the first line of the outcome must begin)
READING = {
    "read the password file": ("open('/etc/passwd').read()", FORBIDDEN),
    "read the shadow file": ("open('/etc/shadow').read()", FORBIDDEN),
    "read a file of the project": ("open(project).read()", FORBIDDEN),
    "read a file of the server's user": ("open(private).read()", FORBIDDEN),
    "read a file through an inherited folder": (
        "os.open('../../../../../../../etc/passwd', os.O_RDONLY, dir_fd=10)",
        FORBIDDEN,
    ),
    "list the root folder": ("os.listdir('/')", FORBIDDEN),
    "list the server's packages": ("os.listdir(packages)", FORBIDDEN),
    "read a package of the server": ("open(packages + '/msgspec/__init__.py').read()", FORBIDDEN),
    "list the packages beside the standard library": (
        "beside = '/proc/self/fd/10/site-packages'; os.listdir(beside if os.path.exists(beside) else '/')",
        FORBIDDEN,
    ),
    "list the folder of the project": ("os.listdir(os.path.dirname(project))", FORBIDDEN),
    "open a file only as a path and read it": (
        "os.open(f'/proc/self/fd/{os.open(project, os.O_PATH)}', os.O_RDONLY)",
        FORBIDDEN,
    ),
    "change into a folder": ("os.chdir('/etc')", NO),
    "read the server's environment": ("open(f'/proc/{server}/environ').read()", FORBIDDEN),
    "read the zygote's environment": ("open(f'/proc/{os.getppid()}/environ').read()", FORBIDDEN),
    "read its own environment": ("open('/proc/self/environ').read()", FORBIDDEN),
    "read the first process's command line": ("open('/proc/1/cmdline').read()", FORBIDDEN),
    "read the server's memory": ("open(f'/proc/{server}/mem', 'rb').read(1)", FORBIDDEN),
    "read the zygote's memory map": ("open(f'/proc/{os.getppid()}/maps').read()", FORBIDDEN),
    "learn where the server's program lies": ("os.readlink(f'/proc/{server}/exe')", FORBIDDEN),
    "open a file of the server by its descriptor": ("open(f'/proc/{server}/fd/{secret}').read()", FORBIDDEN),
}
WRITING = {
    "write to the folder for temporary files": ("open('/tmp/weft-attack', 'w')", READ_ONLY),
    "write to shared memory": ("open('/dev/shm/weft-attack', 'w')", READ_ONLY),
    "write to a world-writable file": ("open(writable, 'a')", READ_ONLY),
    "write to its own standard library": ("open(os.__file__, 'r+')", READ_ONLY),
    "truncate a file while opening it to read": ("os.open(writable, os.O_RDONLY | os.O_TRUNC)", READ_ONLY),
    "truncate a file": ("os.truncate(writable, 0)", NO),
    "make a nameless file": ("os.open('/tmp', os.O_TMPFILE | os.O_RDWR)", READ_ONLY),
    "open a file to write by the newer call": (
        "call(437, 437, -100, pointer(b'/tmp/x'), 0, 24)",
        "OSError: [Errno 38]",
    ),
    "make a file in memory": ("os.memfd_create('x')", NO),
    "make a folder": ("os.mkdir('/tmp/weft-attack')", NO),
    "remove a file": ("os.unlink(writable)", NO),
    "rename a file": ("os.rename(writable, writable + '2')", NO),
    "link to a file": ("os.symlink('/etc/passwd', '/tmp/weft-attack')", NO),
    "change the rights of a file": ("os.chmod(writable, 0o777)", NO),
    "change the time of a file": ("os.utime(writable)", NO),
    "make a pipe with a name": ("os.mkfifo('/tmp/weft-attack')", NO),
    "make a temporary file": (
        "import tempfile; tempfile.TemporaryFile()",
        "FileNotFoundError: [Errno 2] No usable",
    ),
}
NETWORK = {
    "connect by TCP": ("socket.create_connection(('127.0.0.1', port))", NO),
    "send by UDP": ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", NO),
    "open a raw socket": ("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", NO),
    "open a netlink socket": ("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", NO),
    "open a socket of IPv6": ("socket.socket(socket.AF_INET6)", NO),
    "connect to a socket on disk": ("socket.socket(socket.AF_UNIX).connect(unix)", NO),
    "connect to an abstract socket": ("socket.socket(socket.AF_UNIX).connect('\\0' + abstract)", NO),
    "make a pair of sockets that can be redirected": ("socket.socketpair(type=socket.SOCK_DGRAM)", NO),
    "send from a connected pair to somebody else": ("socket.socketpair()[0].sendto(b'x', unix)", NO),
    "redirect one of a pair of sockets": ("socket.socketpair()[0].connect(unix)", NO),
    "bind one of a pair of sockets": ("socket.socketpair()[0].bind('\\0weft-attack')", NO),
    "pass a descriptor to the server": (
        "socket.send_fds(socket.socket(fileno=3, family=1, type=1), [b'x'], [10])",
        NO,
    ),
    "connect by a system call": ("call(41, 198, 2, 1, 0)", NO),
    "use the ring for input and output": ("call(425, 425, 8, 0)", NO),
    "fetch a page": (
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:%d' % port)",
        "urllib.error.URLError: <urlopen error [Errno 1]",
    ),
}
PROCESSES = {
    "start a program": ("subprocess.run(['/bin/true'])", NO),
    "start a shell": ("sys.exit(0) if os.system('true') == 0 else call(59, 221, 0, 0, 0)", NO),
    "become another program": ("os.execv('/bin/true', ['true'])", NO),
    "become another program by descriptor": ("call(322, 281, 10, pointer(b'json'), 0, 0, 0)", NO),
    "spawn a program": ("os.posix_spawn('/bin/true', ['true'], {})", NO),
    "fork": ("os.fork()", NO),
    "fork by a system call": ("call(56, 220, 17, 0, 0, 0, 0)", NO),
    "fork by the newer call": ("call(435, 435, 0, 0)", "OSError: [Errno 38]"),
    "fork sharing memory": ("call(58, 220, 0x4111, 0, 0, 0, 0)", NO),
    "start a thread in a new name space": ("call(56, 220, 0x3D0F00 | 0x10000000, 0, 0, 0, 0)", NO),
    "kill the zygote": ("os.kill(os.getppid(), signal.SIGKILL)", NO),
    "kill the server": ("os.kill(server, signal.SIGKILL)", NO),
    "kill everybody": ("os.kill(-1, signal.SIGKILL)", NO),
    "kill a thread of the server": ("call(234, 131, server, server, 9)", NO),
    "queue a signal to the server": ("call(129, 138, server, 9, 0)", NO),
    "get a handle on the server": ("os.pidfd_open(server)", NO),
    "take a descriptor of the server": ("call(438, 438, 10, 3, 0)", NO),
    "trace the zygote": ("call(101, 117, 16, os.getppid(), 0, 0)", NO),
    "be traced": ("call(101, 117, 0, 0, 0, 0)", NO),
    "read the memory of the zygote": ("call(310, 270, os.getppid(), 0, 0, 0, 0, 0)", NO),
    "write the memory of the zygote": ("call(311, 271, os.getppid(), 0, 0, 0, 0, 0)", NO),
    "change the limits of the server": (
        "import resource; resource.prlimit(server, resource.RLIMIT_NOFILE, (0, 0))",
        NO,
    ),
    "raise its own limits": (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))",
        "ValueError: not allowed to raise maximum limit",
    ),
    "hurry": ("os.nice(-5)", NO),
    "slow the server down": ("os.setpriority(os.PRIO_PROCESS, server, 19)", NO),
    "outlive the zygote": ("call(157, 167, 1, 0, 0, 0, 0)", NO),
    "be dumpable again": ("call(157, 167, 4, 1, 0, 0, 0)", NO),
    "install another filter": ("call(317, 277, 1, 0, 0)", NO),
}
PRIVILEGES = {
    "become root": ("os.setuid(0)", NO),
    "become root in all ways": ("os.setresuid(0, 0, 0)", NO),
    "join the group of root": ("os.setresgid(0, 0, 0)", NO),
    "join more groups": ("os.setgroups([0])", NO),
    "take capabilities": ("call(126, 91, 0, 0)", NO),
    "make a user name space": ("call(272, 97, 0x10000000)", NO),
    "enter a name space": ("call(308, 268, 10, 0)", NO),
    "mount": ("call(165, 40, pointer(b'none'), pointer(b'/tmp'), pointer(b'tmpfs'), 0, 0)", NO),
    "mount by the newer call": ("call(430, 430, pointer(b'tmpfs'), 0)", NO),
    "unmount": ("call(166, 39, pointer(b'/proc'), 0)", NO),
    "change the root": ("os.chroot('/tmp')", NO),
    "load code into the kernel": ("call(321, 280, 0, 0, 0)", NO),
    "load a module into the kernel": ("call(175, 105, 0, 0, 0)", NO),
    "watch the processor": ("call(298, 241, 0, 0, -1, -1, 0)", NO),
    "use the key ring": ("call(250, 219, 0, -3, 0, 0, 0)", NO),
    "handle page faults": ("call(323, 282, 0)", NO),
    "reboot": ("call(169, 142, 0, 0, 0, 0)", NO),
    "set the clock": ("call(227, 112, 0, 0)", NO),
    "name the machine": ("socket.sethostname('attack')", NO),
    "share memory with others": ("call(29, 194, 0, 4096, 0o1600)", NO),
    "use the terminal": ("import fcntl; fcntl.ioctl(0, 0x5412, b'x')", NO),
}
ATTACKS: dict[str, tuple[str, str]] = {**READING, **WRITING, **NETWORK, **PROCESSES, **PRIVILEGES}

X32 = "call(0x40000000 + 39, 1 << 20)"
INT_80 = """
import mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
at = ctypes.addressof(ctypes.c_char.from_buffer(page))
ctypes.CFUNCTYPE(ctypes.c_int)(at)()
"""
if os.uname().machine == "x86_64":
    ATTACKS["call as an x32 program does"] = (X32, NO)
    ATTACKS["call as a 32-bit program does"] = (INT_80, "the code crashed its interpreter (signal 31")

WHO = (
    PREAMBLE
    + """
import stat
def main(**_):
    kinds = {}
    for descriptor in range(1024):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue
        known = {stat.S_IFCHR: "device", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}
        kinds[descriptor] = known.get(stat.S_IFMT(mode), mode)
    return {
        "environment": dict(os.environ), "arguments": sys.argv, "program": sys.executable,
        "descriptors": kinds, "groups": os.getgroups(), "users": os.getresuid(), "path": sys.path,
    }
"""
)


def source(statements: str) -> str:
    body = textwrap.indent(statements.strip(), " ")
    names = "server, project, packages, private, writable, port, unix, abstract, secret"
    return f"{PREAMBLE}\ndef main({names}):\n{body}\n return {{}}"


@contextmanager
def targets() -> Iterator[dict[str, object]]:
    """Things worth attacking: files, listening sockets, an inheritable descriptor, a secret environment."""
    with (
        patch.dict(os.environ, {"WEFT_SECRET": "secret"}),
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        private, writable, door = (Path(folder, name) for name in ("private", "writable", "door"))
        private.write_text("secret")
        private.chmod(0o600)
        writable.write_text("untouched")
        writable.chmod(0o666)
        Path(folder).chmod(0o755)
        unix.bind(str(door))
        unix.listen()
        door.chmod(0o777)
        abstract.bind(f"\0weft-{os.getpid()}")
        abstract.listen()
        with private.open() as secret:
            os.set_inheritable(secret.fileno(), True)
            yield {
                "server": os.getpid(),
                "project": __file__,
                "packages": str(Path(msgspec.__file__).parents[1]),
                "private": str(private),
                "writable": str(writable),
                "port": tcp.getsockname()[1],
                "unix": str(door),
                "abstract": f"weft-{os.getpid()}",
                "secret": secret.fileno(),
            }
            assert writable.read_text() == "untouched"


def unconfined(names: list[str]) -> dict[str, object]:
    """Make attempts in plain processes, to see that they are worth preventing."""
    found: dict[str, object] = {}
    with targets() as inputs:
        for name in names:
            program = f"{source(ATTACKS[name][0])}\nmain(**{inputs!r})"
            ended = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=False
            )
            found[name] = "it worked" if ended.returncode == 0 else ended.stderr.splitlines()[-1]
    return found


async def outcomes() -> dict[str, object]:
    """Make all attempts, and ask the code what it can see of itself."""
    sandbox = open_sandbox(limits=SandboxLimits(wall_seconds=10))
    found: dict[str, object] = {}
    try:
        with targets() as inputs:
            for name, (statements, _) in ATTACKS.items():
                try:
                    await sandbox.run("python3", source(statements), inputs)
                except SandboxError as error:
                    found[name] = str(error).splitlines()[0]
                else:
                    found[name] = "it worked"
            found["who"] = await sandbox.run("python3", WHO, inputs)
    finally:
        await sandbox.close()
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.setgroups([])
        os.setresgid(*[int(sys.argv[1])] * 3)
        os.setresuid(*[int(sys.argv[1])] * 3)
    sys.stdout.write(json.dumps(asyncio.run(outcomes())))
