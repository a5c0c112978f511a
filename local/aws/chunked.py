"""Takes `aws-chunked` bodies apart: SDKs that stream send the bytes, their checksum and signatures in one.

Source: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and
"… Including trailing headers" in the Amazon S3 API reference.
"""

import hashlib
from typing import Final

from multidict import CIMultiDict

from local.aws import signatures
from local.aws.authorization import UNSIGNED, Proof, mismatch
from local.aws.bodies import Body
from local.aws.refusals import Refusal

_KEYWORD: Final = "STREAMING-"
_LINE: Final = 4096
_NOTHING: Final = hashlib.sha256(b"").hexdigest()


def is_chunked(proof: Proof) -> bool:
    return proof.payload.startswith(_KEYWORD)


def unchunk(body: Body, headers: CIMultiDict[str], proof: Proof, plain: Body) -> None:
    """Writes the bytes alone to `plain`; `headers` get the trailing ones and lose what described the encoding."""
    if proof.payload not in _READERS:
        raise Refusal("NotImplemented", f"The local S3 does not know {proof.payload}.")
    announced = headers.pop("x-amz-decoded-content-length", "")
    if not announced.isdecimal():
        raise Refusal("MissingContentLength", "You must provide the Content-Length HTTP header.")
    reader = _READERS[proof.payload](body, proof)
    reader.copy_to(plain)
    if plain.size != int(announced):
        raise incomplete()
    headers.update(reader.trailers(headers.pop("x-amz-trailer", "")))
    _drop_encoding(headers)


def incomplete() -> Refusal:
    return Refusal(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )


class _Reader:
    """Chunks without signatures."""

    def __init__(self, body: Body, proof: Proof) -> None:
        self._body = body
        self._proof = proof
        body.rewind()

    def copy_to(self, plain: Body) -> None:
        while True:
            size, _, extension = self._line().partition(";")
            data = self._chunk(size)
            self.check_chunk(data, extension.removeprefix("chunk-signature="))
            if not data:
                return
            plain.write(data)
            self._body.read(2)

    def trailers(self, names: str) -> dict[str, str]:
        expected = {name.strip().lower() for name in names.split(",") if name.strip()}
        found: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            found[name.strip().lower()] = value.strip()
        self.check_trailer(found)
        found.pop("x-amz-trailer-signature", None)
        if found.keys() != expected:
            raise Refusal("MalformedTrailerError", "The request contained trailing data that was not well-formed")
        return found

    def check_chunk(self, data: bytes, signature: str) -> None:
        """Nothing to check here."""

    def check_trailer(self, found: dict[str, str]) -> None:
        """Nothing to check here."""

    def _line(self) -> str:
        return self._body.read_line(_LINE).decode("latin-1").rstrip("\r\n")

    def _chunk(self, size: str) -> bytes:
        try:
            wanted = int(size, 16)
        except ValueError:
            raise incomplete() from None
        data = self._body.read(wanted)
        if len(data) != wanted:
            raise incomplete()
        return data


class _SignedReader(_Reader):
    """Each chunk is signed together with the signature before it, beginning with the request's own."""

    def __init__(self, body: Body, proof: Proof) -> None:
        super().__init__(body, proof)
        self._previous = proof.signature

    def check_chunk(self, data: bytes, signature: str) -> None:
        self._check("PAYLOAD", f"{_NOTHING}\n{hashlib.sha256(data).hexdigest()}", signature)

    def check_trailer(self, found: dict[str, str]) -> None:
        if not self._proof.payload.endswith("-TRAILER"):
            return
        signed = "".join(f"{name}:{value}\n" for name, value in found.items() if "signature" not in name)
        digest = hashlib.sha256(signed.encode()).hexdigest()
        self._check("TRAILER", digest, found.get("x-amz-trailer-signature", ""))

    def _check(self, kind: str, digests: str, provided: str) -> None:
        proof = self._proof
        head = f"{signatures.ALGORITHM}-{kind}\n{proof.stamp}\n{proof.scope}\n{self._previous}"
        text = f"{head}\n{digests}"
        if not signatures.is_same(signatures.signature(proof.signing_key, text), provided):
            raise mismatch(proof.scope.access_key, text, provided)
        self._previous = provided


_READERS: Final[dict[str, type[_Reader]]] = {
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": _Reader,
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": _SignedReader,
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": _SignedReader,
}


def _drop_encoding(headers: CIMultiDict[str]) -> None:
    headers["x-amz-content-sha256"] = UNSIGNED
    encodings = [part.strip() for part in headers.pop("content-encoding", "").split(",")]
    kept = [encoding for encoding in encodings if encoding and encoding != "aws-chunked"]
    if kept:
        headers["content-encoding"] = ", ".join(kept)
