"""The manifests of examples/kubernetes against the schemas of Kubernetes, without a cluster.

python benchmarks/manifests.py
python benchmarks/manifests.py --crd rayjobs.yaml

Needs the packages kubernetes-validate, which has the schemas, and PyYAML. An unknown field is an
error. Custom resources need the file of their definition, as RayJob that of KubeRay: `--crd`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

FOLDER = Path(__file__).resolve().parent.parent / "examples/kubernetes"
# The oldest version that is still supported, and the newest.
VERSIONS = ("1.34", "1.37")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--crd", type=Path, action="append", default=[], help="a custom resource definition"
    )
    definitions = parser.parse_args().crd
    custom = {}
    for path in definitions:
        definition = yaml.safe_load(path.read_text())
        custom[definition["spec"]["names"]["kind"]] = definition
    problems = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            name = f"{path.name}: {manifest['kind']} {manifest['metadata']['name']}"
            if "." in manifest["apiVersion"].partition("/")[0]:
                found = _custom(manifest, custom.get(manifest["kind"]))
            else:
                found = _built_in(manifest)
            problems += [f"{name}: {one}" for one in found or ()]
            print(f"{name}: {'not checked, see --crd' if found is None else found or 'valid'}")
    if problems:
        sys.exit("\n".join(problems))


def _built_in(manifest: dict[str, Any]) -> list[str]:
    problems = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{version}: {'.'.join(map(str, error.path))}: {error.message}")
    return problems


def _custom(manifest: dict[str, Any], definition: dict[str, Any] | None) -> list[str] | None:
    if definition is None:
        return None
    wanted = manifest["apiVersion"].partition("/")[2]
    (version,) = (one for one in definition["spec"]["versions"] if one["name"] == wanted)
    schema = _strict(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    errors = jsonschema.Draft7Validator(schema).iter_errors(manifest)
    return [f"{'.'.join(map(str, one.absolute_path))}: {one.message[:300]}" for one in errors]


def _strict(node: Any) -> Any:
    """Return a schema in which unknown fields are errors, and with numbers or texts as JSON has."""
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    schema = {key: _strict(one) for key, one in node.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in schema and "additionalProperties" not in schema and not is_open:
        schema["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
        schema["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return schema


if __name__ == "__main__":
    main()
