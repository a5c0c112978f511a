"""What outlives a restart, and what does not outlive its parent."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.aws import LocalAws, ThreadedAws, snapshot
from tests.local.aws.answers import refusal


def test_objects_and_open_uploads_survive_a_restart(tmp_path: Path) -> None:
    with ThreadedAws(data_dir=tmp_path) as aws:
        pid = aws.server.moto_pid
        assert pid is not None
        assert _runs(pid)
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="a", Body=b"abc", ContentType="text/csv", Tagging="k=v")
        where: Any = {"Bucket": "bucket", "Key": "m"}
        where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
        part = s3.upload_part(**where, PartNumber=1, Body=b"abc")
        before = s3.head_object(Bucket="bucket", Key="a"), s3.list_multipart_uploads(Bucket="bucket")
        s3.close()
    assert not _runs(pid)
    with ThreadedAws(data_dir=tmp_path) as aws:
        s3 = aws.client("s3")
        after = s3.head_object(Bucket="bucket", Key="a"), s3.list_multipart_uploads(Bucket="bucket")
        for field in ("ETag", "LastModified", "ContentType", "ContentLength"):
            assert before[0][field] == after[0][field]
        assert before[1]["Uploads"] == after[1]["Uploads"]
        assert s3.get_object_tagging(Bucket="bucket", Key="a")["TagSet"] == [{"Key": "k", "Value": "v"}]
        chosen = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        s3.complete_multipart_upload(**where, MultipartUpload=chosen)
        assert s3.get_object(Bucket="bucket", Key="m")["Body"].read() == b"abc"
        s3.close()


def test_moto_ends_when_its_parent_is_killed() -> None:
    program = (
        "import asyncio; from local.aws import LocalAws; aws = LocalAws()\n"
        "async def main():\n"
        "    await aws.start(); print(aws.moto_pid, flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    root = Path(__file__).parents[3]
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not _runs(pid):
            return
        time.sleep(0.05)
    raise AssertionError("moto still runs")


def test_a_port_in_use_is_an_error(aws: ThreadedAws) -> None:
    taken = int(aws.s3_url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        asyncio.run(LocalAws().start(s3_port=taken))


def test_without_moto_every_request_fails_as_s3_fails() -> None:
    with ThreadedAws() as aws:
        assert aws.server.moto_pid is not None
        s3 = aws.client("s3")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "a"})
        s3.close()
        os.kill(aws.server.moto_pid, signal.SIGKILL)
        answer = httpx.get(url, headers={"origin": "https://app.test"})
    assert refusal(answer) == (500, "InternalError")


def test_objects_of_another_moto_are_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "objects.pickle"
    file.write_bytes(pickle.dumps("1.0"))
    with pytest.raises(SystemExit, match=r"was written by moto 1\.0"):
        snapshot.restore(file)


def _runs(pid: int) -> bool:
    """Whether a process lives; one that nobody has waited for yet (a zombie) does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
