"""Each tenant's key for subscription tokens, derived from the setting so that it is stored nowhere.

`SUBSCRIPTION_SECRET=… python -m shared.auth.subscription_secret acme` prints the one that acme's backend signs with.
"""

import argparse
import hashlib
import hmac
import sys
from collections.abc import Sequence

from shared.settings import settings
from shared.tenant.scope import is_tenant_id


def tenant_secrets(setting: str, tenant: str) -> list[str]:
    """The tenant's secrets as hex, one for each of the setting: the first signs, any verifies."""
    known = (secret.strip() for secret in setting.split(","))
    return [_derived(secret, tenant) for secret in known if secret]


def _derived(secret: str, tenant: str) -> str:
    return hmac.new(secret.encode(), f"subscription|{tenant}".encode(), hashlib.sha256).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tenant's secret; exits with 2 and the reason when there is none."""
    parser = argparse.ArgumentParser(prog="python -m shared.auth.subscription_secret", description=__doc__)
    parser.add_argument("tenant")
    tenant = parser.parse_args(arguments).tenant
    if not is_tenant_id(tenant):
        parser.error("a tenant is 1 to 64 of A-Z a-z 0-9 _ -")
    derived = tenant_secrets(settings().subscription_secret, tenant)
    if not derived:
        parser.error("SUBSCRIPTION_SECRET is not set")
    sys.stdout.write(f"{derived[0]}\n")


if __name__ == "__main__":
    main()
