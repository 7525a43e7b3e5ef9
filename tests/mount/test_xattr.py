"""user.askfs.recovery: how an answer went on after its stream had broken."""

import ctypes
import errno
import os

import pytest

NAME = "user.askfs.recovery"


def recovery_of(path):
    return os.getxattr(path, NAME).decode()


def errno_of(function, *arguments):
    with pytest.raises(OSError) as refused:
        function(*arguments)
    return refused.value.errno


def test_an_answer_that_never_broke_says_none(fake):
    fake.ask("hi")
    for path in (fake / "response", fake.latest / "response"):
        assert os.listxattr(path) == [NAME]
        assert recovery_of(path) == "none"


def test_there_is_none_before_the_first_request(fake):
    assert os.listxattr(fake / "response") == []
    assert errno_of(os.getxattr, fake / "response", NAME) == errno.ENODATA


def test_an_answer_that_was_begun_again_says_so(fake, server):
    server.cut("Hel")
    server.answer("Hello")
    fake.write("hi")
    assert fake.wait().split()[1] == "done"
    assert recovery_of(fake / "response").split()[0] == "restart"
    assert fake.read() == "Hello"


def test_other_files_have_none(fake):
    fake.ask("hi")
    for name in ("prompt", "status", "wait", "reasoning", "requests"):
        assert os.listxattr(fake / name) == []
        assert errno_of(os.getxattr, fake / name, NAME) == errno.ENODATA


def test_other_attributes_do_not_exist_and_none_can_be_set(fake):
    fake.ask("hi")
    path = fake / "response"
    assert errno_of(os.getxattr, path, "user.other") == errno.ENODATA
    assert errno_of(os.getxattr, path, "security.capability") == errno.ENOTSUP
    # The kernel asks the mode first, except root's.
    refusal = errno.EACCES if os.getuid() else errno.ENOTSUP
    for name in (NAME, "user.other"):
        assert errno_of(os.setxattr, path, name, b"x") == refusal
        assert errno_of(os.removexattr, path, name) == refusal


def test_who_has_too_little_room_is_told_so(fake):
    fake.ask("hi")
    libc = ctypes.CDLL(None, use_errno=True)
    path = os.fsencode(fake / "response")
    room = ctypes.create_string_buffer(64)
    for call in (lambda size: libc.getxattr(path, NAME.encode(), room, ctypes.c_size_t(size)),
                 lambda size: libc.listxattr(path, room, ctypes.c_size_t(size))):
        needed = call(0)
        assert needed > 0
        assert call(needed) == needed
        assert call(needed - 1) == -1
        assert ctypes.get_errno() == errno.ERANGE


def test_copies_with_all_attributes_work(fake):
    fake.ask("hi")
    fake.mount.run("cp -p mount/fake/response plain && cp -a mount/fake/response all")
    fake.mount.run("cp -p plain mount/fake/prompt && cp -a all mount/fake/system")
    assert fake.read("prompt") == "ok"
