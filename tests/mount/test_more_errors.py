"""Every error of both catalogues, served as the wire shows it and asked for through the mount: its
class, its errno, whether it counts for the breaker, and the time to come back."""

import errno
import json

import pytest

from support import programs
from support.server import head

ERRNO = {"auth": errno.EACCES, "permission": errno.EPERM, "billing": errno.EDQUOT,
         "not_found": errno.ENXIO, "validation": errno.EINVAL, "context_length": errno.EMSGSIZE,
         "request_too_large": errno.EMSGSIZE, "content_filter": errno.ENOTSUP,
         "rate_limit": errno.EBUSY, "conflict": errno.EBUSY, "pending": errno.EBUSY,
         "overloaded": errno.EREMOTEIO, "server": errno.EREMOTEIO, "timeout": errno.ETIMEDOUT,
         "stream_truncated": errno.ECONNRESET, "protocol": errno.EPROTO,
         "cancelled": errno.ECANCELED, "complete": 0, "length_limit": 0}
BODILESS = (204, 304)


def rows_of(name):
    rows = json.loads((programs.ROOT / "tests" / "data" / name).read_text())
    return [row for row in rows if row["status"] and row["category"] in ERRNO
            and "deferred" not in row["id"] and row["status"] not in BODILESS]


def wire_of(row):
    body, api = row["sample_body"], row.get("api", "")
    if "wire" in row:
        return row["wire"]
    if "message_start" in body or "messages" in api or row.get("provider") == "anthropic":
        return "messages"
    return "responses" if "event: response." in body or "responses" in api else "chat"


def provider_of(row, url):
    common = {"base_url": url, "model": "m", "retry": {"max_attempts": 1}, "recovery": "off"}
    wire = wire_of(row)
    if wire == "chat":
        return {"type": "openai-compatible", **common}
    api = {"type": "anthropic"} if wire == "messages" else {"type": "openai", "api": "responses"}
    return {**api, **common, "api_key": {"env": "KEY"}}


def reply_of(row):
    body = row["sample_body"].encode()
    headers = {"Content-Type": "text/event-stream"} if row["in_stream"] else {}
    headers.update({name: value for name, value in row["headers"].items()
                    if name != "content-length"})
    headers.update({"Content-Length": str(len(body)), "Connection": "close"})
    return head(row["status"], headers) + body


def wrong_of(row, directory):
    """What is not as the row says, or nothing."""
    directory.write("hi")
    _, number = directory.read_to_error()
    said = directory.latest.status()
    category = row["category"]
    wanted = {"error": "-" if ERRNO[category] == 0 else category, "errno": ERRNO[category],
              "failures": str(int(row["breaker_counts"]))}
    got = {"error": said["error"], "errno": number,
           "failures": directory.status("breaker")["failures"]}
    told = row["retry_after_ms"]
    if ERRNO[category] and row["retryable"] and told:
        wanted["told"] = True
        text = directory.latest.read("error")
        got["told"] = "retry_after_s: " in text
    return {} if got == wanted else {"wanted": wanted, "got": got}


@pytest.mark.seconds(180)
@pytest.mark.parametrize("name", ["provider-errors.json", "more-errors.json"])
def test_each_row_through_the_mount(mounted, server, name):
    rows = rows_of(name)

    def reply(connection, request):
        connection.sendall(reply_of(rows[int(request.path.split("/")[1])]))
        return False

    server.always_plays(reply)
    mount = mounted({f"p{i}": provider_of(row, f"{server.url}/{i}") for i, row in enumerate(rows)},
                    KEY="sk-of-a-test-1234567890")
    wrong = {row["id"]: wrong_of(row, mount / f"p{i}") for i, row in enumerate(rows)}
    assert {id: why for id, why in wrong.items() if why} == {}
