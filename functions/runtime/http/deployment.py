"""What the HTTP side knows of the service whose functions it serves."""

from dataclasses import dataclass

ACCOUNT = "000000000000"
API_ID = "iot-button"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where and as what a manifest's functions are served.

    `host`: the configured name or address, which a Host header may name beside loopback's.
    `stage` and `region`: the manifest's; handlers see them, URLs do not hold them.
    """

    host: str = "127.0.0.1"
    stage: str = "dev"
    region: str = "eu-west-1"

    def function_arn(self, name: str) -> str:
        """Return a function's ARN: AWS's form, with an account of zeros."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{name}"
