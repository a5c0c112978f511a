"""Supabase Auth's error answers, in the two shapes its clients know."""

from http import HTTPStatus

API_VERSION_HEADER = "X-Supabase-Api-Version"
API_VERSION = "2024-01-01"


class AuthError(Exception):
    """`code` is Supabase's stable error code, `details` become further members of the body."""

    def __init__(self, status: int, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.status = HTTPStatus(status)
        self.code = code
        self.message = message
        self.details = details

    def body(self, versioned: bool) -> dict[str, object]:
        """`versioned`: the caller sent the API version header; without it the older shape is due."""
        if versioned:
            return {"code": self.code, "message": self.message, **self.details}
        return {"code": int(self.status), "error_code": self.code, "msg": self.message, **self.details}


def invalid(message: str) -> AuthError:
    return AuthError(400, "validation_failed", message)


def invalid_credentials() -> AuthError:
    return AuthError(400, "invalid_credentials", "Invalid login credentials")


def banned(status: int = 400) -> AuthError:
    return AuthError(status, "user_banned", "User is banned")


def bad_jwt(reason: str) -> AuthError:
    return AuthError(403, "bad_jwt", f"invalid JWT: {reason}")


def email_exists() -> AuthError:
    return AuthError(422, "email_exists", "A user with this email address has already been registered")


def user_not_found() -> AuthError:
    return AuthError(404, "user_not_found", "User not found")
