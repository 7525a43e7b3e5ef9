"""A program that does to the tree whatever a system call can: hostile.py MOUNT SEED COUNT.

Errnos are what it may get; it names what it may not: an answer that is not one prompt's, from its
first line on, or one that ends as complete and is not."""

import errno
import fcntl
import mmap
import os
import pathlib
import random
import select
import signal
import sys

DEAD = (errno.ENOTCONN, errno.ECONNABORTED)
FLAGS = (os.O_TRUNC, os.O_APPEND, os.O_NONBLOCK, os.O_CREAT, os.O_SYNC, os.O_NOFOLLOW, os.O_DIRECT)
RARE_FLAGS = (os.O_EXCL | os.O_CREAT, os.O_DIRECTORY, os.O_PATH, os.O_TMPFILE)
OFFSETS = (0, 1, 4095, 1 << 24, 1 << 40, (1 << 63) - 1)
VALUES = (b"", b"\n", b"\0", b"\xff", b"\xe2\x82", b"open\n", b"reset\n", b"{}", b"[1]", b"{" * 3000,
          b"server times=1\n", b"disconnect after_chunks=1 times=1\n", b"split bytes=1\n", b"clear\n",
          b'{"sim": {"ms_per_chunk": 2}}', b'{"stream": false}', b"x" * 100000)


class Hostile:
    def __init__(self, mount, seed):
        self.mount = mount
        self.name = f"p{seed}"
        self.random = random.Random(seed)
        self.descriptors = []
        # What is copied within the tree would be a prompt in our form, and not ours.
        self.source = os.memfd_create("source")
        os.write(self.source, b"copied\n" * 20)
        self.sink = os.memfd_create("sink")

    def path(self, inside=None):
        found = inside or self.mount
        while True:
            try:
                names = os.listdir(found)
            except NotADirectoryError:
                return found
            if not names or self.random.random() < 0.02:
                return found / "no such name"
            found /= self.random.choice(names)

    def open(self):
        flags = self.random.choice((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_RDWR, 3))
        for flag in FLAGS:
            flags |= flag if self.random.random() < 0.15 else 0
        if self.random.random() < 0.1:
            flags |= self.random.choice(RARE_FLAGS)
        self.descriptors.append(os.open(self.path(), flags, 0o600))
        if len(self.descriptors) > 12:
            self.close()

    def close(self):
        os.close(self.descriptors.pop(self.random.randrange(len(self.descriptors))))

    def use(self):
        pick = self.random.choice
        fd = pick(self.descriptors)
        pick((
            lambda: os.read(fd, pick((0, 1, 4096))),
            lambda: os.pread(fd, 100, pick(OFFSETS)),
            lambda: os.write(fd, pick(VALUES)),
            lambda: os.pwrite(fd, pick(VALUES), pick(OFFSETS)),
            lambda: os.lseek(fd, pick((0, -1, 1 << 40)), pick((0, 1, 2, os.SEEK_DATA, os.SEEK_HOLE))),
            lambda: os.ftruncate(fd, pick(OFFSETS)),
            lambda: os.fsync(fd),
            lambda: os.fchmod(fd, 0o777),
            lambda: os.utime(fd),
            lambda: os.posix_fallocate(fd, 0, 10),
            lambda: os.posix_fadvise(fd, 0, 0, pick((os.POSIX_FADV_WILLNEED, os.POSIX_FADV_DONTNEED))),
            lambda: os.copy_file_range(fd, self.sink, 100),
            lambda: os.copy_file_range(self.source, fd, 100, 0),
            lambda: os.sendfile(self.sink, fd, 0, 100),
            lambda: os.sendfile(fd, self.source, 0, 100),
            lambda: fcntl.flock(fd, pick((fcntl.LOCK_SH, fcntl.LOCK_EX)) | fcntl.LOCK_NB),
            lambda: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
            lambda: fcntl.ioctl(fd, pick((0x5401, 0x541B, 0x1234)), bytes(64)),
            lambda: fcntl.fcntl(fd, fcntl.F_SETFL, pick((0, os.O_APPEND, os.O_NONBLOCK))),
            lambda: mmap.mmap(fd, 4096, pick((mmap.MAP_PRIVATE, mmap.MAP_SHARED)), mmap.PROT_READ).close(),
            lambda: self.poll(fd),
            lambda: self.descriptors.append(os.dup(fd)),
        ))()

    def poll(self, fd):
        with select.epoll() as epoll:
            epoll.register(fd, self.random.choice((select.EPOLLIN, select.EPOLLIN | select.EPOLLET)))
            epoll.poll(0.005)

    def change_names(self):
        path = self.path()
        self.random.choice((
            lambda: os.rename(path, path.parent / "new"),
            lambda: os.link(path, path.parent / "new"),
            lambda: os.symlink("new", path.parent / "new"),
            lambda: os.mkdir(path.parent / "new"),
            lambda: os.mkfifo(path.parent / "new"),
            lambda: os.unlink(path),
            lambda: os.rmdir(path.parent),
            lambda: os.truncate(path, self.random.choice(OFFSETS)),
            lambda: os.chmod(path, 0),
            lambda: os.chown(path, 1, 1),
            lambda: os.setxattr(path, "user.a", b"1"),
            lambda: os.getxattr(path, "user.askfs.recovery"),
        ))()

    def ask(self):
        lines = self.random.choice((1, 5, 3000))
        text = f"{self.name} {lines}\n" + "".join(f"{self.name} {i}\n" for i in range(lines)) + "end"
        with open(self.path_of("prompt"), "wb", buffering=0) as file:
            file.write(text.encode())

    def path_of(self, name):
        return self.mount / self.random.choice(("chat", "messages", "responses")) / name

    def give_up(self):
        """A reader that is stopped, continued and killed."""
        child = os.fork()
        if child == 0:
            try:
                with open(self.path_of("response"), "rb", buffering=0) as file:
                    while file.read(7):
                        pass
            finally:
                os._exit(0)
        for number in self.random.choice(((2,), (9,), (19, 18, 15), (20, 18, 9))):
            os.kill(child, number)
        os.waitpid(child, 0)

    def read(self):
        text = b""
        with open(self.path_of("response"), "rb", buffering=0) as file:
            try:
                while piece := file.read(self.random.choice((5, 4096))):
                    text += piece
                ended = True
            except OSError:
                ended = False
            if ended:
                self.compare_pages(file.fileno(), text)
        # What others wrote is not in our form: only their values.
        if text.startswith(b"p") and b" " in text:
            self.judge(text.decode().split("\n"), ended)

    def compare_pages(self, fd, text):
        """What sendfile gives comes from pages that the kernel keeps for all who read the file."""
        out = os.memfd_create("pages")
        try:
            if os.fstat(fd).st_size == 0:
                return  # opened for a prompt that was not sent yet, and others were, too
            at = 0
            while count := os.sendfile(out, fd, at, 1000):
                at += count
            # Nothing: who held a prompt open itself looked back, and others still wait for that prompt.
            if at and os.pread(out, at + 1, 0) != text:
                raise AssertionError(f"sendfile gave another text: {at} bytes, not {len(text)}")
        finally:
            os.close(out)

    @staticmethod
    def judge(lines, ended):
        name, _, count = lines[0].partition(" ")
        expected = [lines[0], *(f"{name} {i}" for i in range(int(count or 0))), "end"]
        if ended and lines != expected:
            raise AssertionError(f"it ended as if it were whole: {lines[0]!r} … {lines[-2:]}")
        if lines[:-1] != expected[: len(lines) - 1]:
            raise AssertionError(f"not one prompt's: {lines}")

    def step(self):
        todo = self.random.random()
        if todo < 0.2 or not self.descriptors:
            self.open()
        elif todo < 0.75:
            self.use()
        elif todo < 0.8:
            self.change_names()
        elif todo < 0.88:
            self.ask()
        elif todo < 0.94:
            self.read()
        elif todo < 0.96:
            self.give_up()
        else:
            self.close()


class Late(Exception):
    pass


def wake(*_):
    raise Late  # a read may wait for a prompt that we hold open ourselves


def main():
    hostile = Hostile(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
    signal.signal(signal.SIGALRM, wake)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for _ in range(int(sys.argv[3])):
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                hostile.step()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except OSError as error:
            if error.errno in DEAD:
                raise
        except (Late, ValueError, OverflowError, TypeError):
            pass


main()
