"""Models of one name that are another function in another library: how far, and by which field.

``python -m tests.studies.witnesses.namesakes LIBRARY=INTERPRETER... [--output FILE]`` gives a
library's model and ours the same random weights, in ours a field as the other library has it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suite.files import write_whole
from suite.plan.configurations import Configuration, reference_configuration
from suite.worker.installations import discover
from tasks.models.inception import inception_v3
from tasks.models.resnet import resnet50
from tasks.spec import GELU, LayerNorm, ModelSpec
from tests.studies.witnesses.check import held, witnessed
from tests.studies.witnesses.models import WITNESSES, Witness, changed

BY_NAME = {witness.name: witness for witness in WITNESSES}
V1 = {"size": 64, "bias": True}
KERAS = {"stride_first": True, "epsilon": 1.001e-5, "momentum": 0.01}


@dataclass(frozen=True, kw_only=True)
class Namesake:
    """A model that ``other`` has too, beside ``witness``: what is another there, in words, and the
    witness's spec with it.
    """

    name: str
    other: str
    witness: Witness
    fields: Mapping[str, ModelSpec]


def _resnet(**fields: Any) -> ModelSpec:
    """Keras's, with other fields."""
    return resnet50(**(V1 | KERAS | fields))


def namesakes() -> list[Namesake]:
    """A row a model and a library that has another function by its name."""
    hub, vit = BY_NAME["bert-base twin of keras_hub"], BY_NAME["vit-b16 twin"]
    return [
        Namesake(
            name="ResNet-50",
            other="torchvision",
            witness=BY_NAME["resnet50 of keras"],
            fields={
                "stride in the 3x3, not in the first 1x1": _resnet(stride_first=False),
                "epsilon 1e-5, not 1.001e-5": _resnet(epsilon=1e-5),
                "momentum 0.1, not 0.01": _resnet(momentum=0.1),
            },
        ),
        Namesake(
            name="Inception-v3",
            other="torchvision",
            witness=BY_NAME["inception-v3 of keras"],
            fields={
                "padding counted in average pools": inception_v3(
                    size=139, scale=False, count_padding=True, momentum=0.01
                )
            },
        ),
        Namesake(
            name="BERT",
            other="transformers",
            witness=hub,
            fields={"GELU by erf, not tanh": changed(hub.model, GELU, approximate=False)},
        ),
        Namesake(
            name="ViT-B/16",
            other="transformers",
            witness=vit,
            fields={"epsilon 1e-12, not 1e-6": changed(vit.model, LayerNorm, epsilon=1e-12)},
        ),
    ]


def measured(
    namesake: Namesake, interpreter: str, reference: Configuration, folder: Path
) -> list[dict[str, Any]]:
    """How far the reference's programs are off: first of the witness's own spec, then of each with
    another field.
    """
    witness = namesake.witness
    wanted = witnessed(witness, interpreter, folder)
    rows = []
    for field, model in {"": witness.model, **namesake.fields}.items():
        other = replace(witness, model=replace(model, name=witness.model.name))
        answer = held(other, reference, wanted, folder)
        rows.append(
            {
                "model": namesake.name,
                "library": witness.library,
                "kind": witness.kind,
                "other": namesake.other,
                "field": field,
                "logits": answer.logits,
                "gradient": answer.gradient,
                "buffers": answer.buffers,
                "same": answer.same,
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> int:
    """0 if each library has its own spec's function, and no other field's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("interpreters", nargs="+", metavar="LIBRARY=INTERPRETER")
    parser.add_argument("--output", type=Path, metavar="FILE")
    asked = parser.parse_args()
    interpreters = dict(each.split("=", 1) for each in asked.interpreters)
    reference = reference_configuration(discover({}))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for namesake in namesakes():
            if interpreter := interpreters.get(namesake.witness.library):
                rows += measured(namesake, interpreter, reference, Path(folder))
    if asked.output:
        write_whole(asked.output, json.dumps(rows, indent=1) + "\n")
    return int(not rows or any(row["same"] == bool(row["field"]) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
