"""The project's signing keys: asymmetric ones published as JWKS, or the legacy shared secret."""

import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Literal, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

Algorithm = Literal["ES256", "RS256", "HS256"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class SigningKey:
    """One asymmetric key; its public half is in the JWKS as long as it is trusted."""

    kid: str
    algorithm: Algorithm
    private: PrivateKey

    @classmethod
    def generate(cls, algorithm: Algorithm = "ES256") -> Self:
        private: PrivateKey
        if algorithm == "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
        elif algorithm == "RS256":
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            raise ValueError("HS256 has a shared secret, not a key pair")
        return cls(str(uuid.uuid4()), algorithm, private)

    @classmethod
    def from_pem(cls, kid: str, algorithm: Algorithm, pem: str) -> Self:
        private = serialization.load_pem_private_key(pem.encode(), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError(f"key {kid} is neither EC nor RSA")
        return cls(kid, algorithm, private)

    def pem(self) -> str:
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def public_jwk(self) -> dict[str, Any]:
        public = self.private.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            jwk = json.loads(ECAlgorithm.to_jwk(public))
        else:
            jwk = json.loads(RSAAlgorithm.to_jwk(public))
        return {
            **jwk,
            "alg": self.algorithm,
            "ext": True,
            "key_ops": ["verify"],
            "kid": self.kid,
            "use": "sig",
        }


class SigningKeys:
    """`mode` HS256 signs with `legacy_secret` (a project that never migrated) and publishes no keys."""

    def __init__(self, mode: Algorithm = "ES256", legacy_secret: str | None = None) -> None:
        self.mode: Algorithm = mode
        self.legacy_secret = legacy_secret or secrets.token_urlsafe(40)
        self.trusted: list[SigningKey] = [] if mode == "HS256" else [SigningKey.generate(mode)]

    @property
    def current(self) -> SigningKey:
        """The key in use; `LookupError` in HS256 mode."""
        if self.mode == "HS256":
            raise LookupError("a legacy HS256 project has no asymmetric key in use")
        return self.trusted[-1]

    def rotate(self, algorithm: Algorithm = "ES256") -> SigningKey:
        """Sign with a new key from now on; the earlier ones stay published and trusted until `revoke`d."""
        key = SigningKey.generate(algorithm)
        self.trusted.append(key)
        self.mode = algorithm
        return key

    def revoke(self, kid: str) -> None:
        """Unpublish an earlier key: tokens it signed are refused once caches of the JWKS expire."""
        if self.mode != "HS256" and kid == self.current.kid:
            raise ValueError("the key in use cannot be revoked: rotate first")
        self.trusted = [key for key in self.trusted if key.kid != kid]

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        return {"keys": [key.public_jwk() for key in reversed(self.trusted)]}

    def sign(self, claims: dict[str, Any]) -> str:
        if self.mode == "HS256":
            return jwt.encode(claims, self.legacy_secret, "HS256")
        key = self.current
        return jwt.encode(claims, key.private, key.algorithm, headers={"kid": key.kid})

    def verify(self, token: str, now: float) -> dict[str, Any]:
        """Claims of a token signed by any trusted key or the legacy secret; `jwt.PyJWTError` otherwise."""
        header = jwt.get_unverified_header(token)
        unclocked = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        if header.get("alg") == "HS256":
            claims = jwt.decode(token, self.legacy_secret, ["HS256"], options=unclocked)  # type: ignore[arg-type]
        else:
            key = next((key for key in self.trusted if key.kid == header.get("kid")), None)
            if key is None:
                raise jwt.InvalidKeyError("unrecognized JWT kid")
            public = key.private.public_key()
            claims = jwt.decode(token, public, [key.algorithm], options=unclocked)  # type: ignore[arg-type]
        if not isinstance(claims.get("exp"), int | float) or claims["exp"] <= now:
            raise jwt.ExpiredSignatureError("token has invalid claims: token is expired")
        return claims

    def dump(self) -> dict[str, Any]:
        keys = [{"kid": key.kid, "algorithm": key.algorithm, "pem": key.pem()} for key in self.trusted]
        return {"mode": self.mode, "legacy_secret": self.legacy_secret, "keys": keys}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        keys = cls("HS256", state["legacy_secret"])
        keys.mode = state["mode"]
        keys.trusted = [SigningKey.from_pem(**key) for key in state["keys"]]
        return keys
