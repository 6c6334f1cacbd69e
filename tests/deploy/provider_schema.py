"""What Terraform's provider for AWS takes and gives, as CDK for Terraform generated it from the provider's own schema.

Source: https://www.npmjs.com/package/@cdktf/provider-aws, which tests/deploy/fetch.sh unpacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.e2e.job_process import PROJECT

SCHEMAS = PROJECT / ".cache" / "deploy-tools" / "provider-aws"
META_ARGUMENTS = frozenset({"count", "for_each", "depends_on", "provider", "lifecycle"})
_INTERFACE = re.compile(r"^export interface (\w+)(?: extends \S+)? \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"#(\w+) \w+#\w+\}(?:(?!\*/).)*\*/\s+readonly \w+(\??): ([^;]+);", re.DOTALL)


class Kind:
    """A kind of resource, or of data.

    Args:
        name: ``aws_sqs_queue``, or ``data_aws_iam_policy_document``.
    """

    def __init__(self, name: str) -> None:
        folder = name.removeprefix("aws_").replace("_", "-")
        text = (SCHEMAS / folder / "index.d.ts").read_text()
        self._interfaces = dict(_INTERFACE.findall(text))
        (self._config,) = [each for each in self._interfaces if each.endswith("Config")]
        getters = re.findall(r"^    get (\w+)\(\)", text, re.MULTILINE)
        self.attributes = {re.sub(r"([A-Z])", r"_\1", getter).lower() for getter in getters} | {"id"}

    def problems(self, block: dict[str, Any]) -> Iterator[str]:
        """Return what is wrong with a block: arguments that are not known, and such as are missing."""
        return self._problems(block, self._config, "")

    def _problems(self, block: dict[str, Any], interface: str, path: str) -> Iterator[str]:
        known = {name: (bool(optional), kind) for name, optional, kind in _FIELD.findall(self._interfaces[interface])}
        given = dict(_expanded(block))
        for name in given.keys() - known.keys() - META_ARGUMENTS:
            yield f"{path}{name} is not known"
        for name, (is_optional, kind) in known.items():
            if name not in given and not is_optional:
                yield f"{path}{name} is missing"
            inner = re.match(r"\w+", kind)
            if name in given and inner and inner[0] in self._interfaces:
                for part in given[name] if isinstance(given[name], list) else [given[name]]:
                    yield from self._problems(part, inner[0], f"{path}{name}.")


def _expanded(block: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return the arguments and blocks of a block, a ``dynamic`` one as what it makes."""
    for name, value in block.items():
        if name == "dynamic":
            made = [(label.strip('"'), body) for each in value for label, body in each.items()]
            for label in {label for label, _ in made}:
                yield label, [part for name, body in made if name == label for part in _as_list(body["content"])]
        elif not name.startswith("__"):
            yield name, value


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
