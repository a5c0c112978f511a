"""Compares the bytes with every hash that the client announced for them."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from multidict import CIMultiDict

from local.aws.authorization import UNSIGNED, Proof
from local.aws.bodies import Body
from local.aws.refusals import Refusal

_PREFIX: Final = "x-amz-checksum-"
_SIZES: Final = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}
_COMPUTED: Final = ("crc32", "sha1", "sha256")


async def check_payload(body: Body, proof: Proof) -> None:
    """The hash in the signature, unless the client chose not to sign the payload."""
    if proof.payload == UNSIGNED:
        return
    found = (await body.digest("sha256")).hex()
    if found != proof.payload:
        raise Refusal(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ClientComputedContentSHA256=proof.payload,
            S3ComputedContentSHA256=found,
        )


async def check_announced(body: Body, headers: CIMultiDict[str]) -> None:
    """`Content-MD5` and one `x-amz-checksum-*`."""
    md5 = headers.get("content-md5")
    if md5 is not None and _decoded(md5, 16) is None:
        raise Refusal("InvalidDigest", "The Content-MD5 you specified was invalid.")
    if md5 is not None and await body.digest("md5") != _decoded(md5, 16):
        raise Refusal("BadDigest", "The Content-MD5 you specified did not match what we received.")
    announced = announced_checksums(headers)
    if len(announced) > 1:
        raise Refusal(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    _check_sdk_header(headers, announced)
    for algorithm, value in announced.items():
        await _check(body, algorithm, value)


def announced_checksums(headers: Mapping[str, str]) -> dict[str, str]:
    """Algorithm (lower case) → base64 value; `x-amz-checksum-mode`, `-type` and `-algorithm` are none."""
    names = {name.lower().removeprefix(_PREFIX): value for name, value in headers.items()}
    return {name: value for name, value in names.items() if name in _SIZES}


def _check_sdk_header(headers: CIMultiDict[str], announced: dict[str, str]) -> None:
    named = headers.get("x-amz-sdk-checksum-algorithm", "").lower()
    if named and named not in announced and "content-md5" not in headers:
        raise Refusal(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* "
            "or x-amz-trailer headers were found.",
        )


async def _check(body: Body, algorithm: str, value: str) -> None:
    if algorithm not in _COMPUTED:
        raise Refusal("NotImplemented", f"The local S3 cannot compute {algorithm.upper()}.")
    expected = _decoded(value, _SIZES[algorithm])
    if expected is None:
        raise Refusal("InvalidRequest", f"Value for {_PREFIX}{algorithm} header is invalid.")
    if await body.digest(algorithm) != expected:
        raise Refusal(
            "BadDigest",
            f"The {algorithm.upper()} you specified did not match the calculated checksum.",
        )


def _decoded(value: str, size: int) -> bytes | None:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size else None
