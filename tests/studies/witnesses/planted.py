"""Mistakes that ports of these models make, each in a spec of ours: does its witness find it?

``python -m tests.studies.witnesses.planted LIBRARY=INTERPRETER... [--output FILE]``
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from suite.files import write_whole
from suite.plan.configurations import Configuration, reference_configuration
from suite.worker.installations import discover
from tasks import spec
from tasks.models.gpt2 import gpt2
from tasks.models.inception import inception_v3
from tasks.models.resnet import resnet50
from tasks.spec import Layer, ModelSpec
from tests.studies.witnesses.check import NotItsNames, ask
from tests.studies.witnesses.models import SMALL, STEPS, WITNESSES, Witness, changed

BY_NAME = {witness.name: witness for witness in WITNESSES}


def planted() -> dict[str, Witness]:
    """What is wrong, and the witness with the wrong spec."""

    def wrong(name: str, kind: type[Layer], **fields: object) -> Witness:
        witness = BY_NAME[name]
        return replace(witness, model=changed(witness.model, kind, **fields))

    def another(name: str, model: ModelSpec) -> Witness:
        return replace(BY_NAME[name], model=model)

    pairs = spec.Rotary(width=4, base=10_000.0, layout="pairs")
    untied = replace(gpt2(steps=STEPS, rows=40, **SMALL), ties=())
    v1 = resnet50(size=64, classes=10, blocks=(1, 1, 1, 1), stride_first=True)
    return {
        "BERT: GELU by tanh": wrong("bert-base twin", spec.GELU, approximate=True),
        "BERT: epsilon 1e-5": wrong("bert-base twin", spec.LayerNorm, epsilon=1e-5),
        "RoBERTa: all steps counted": wrong(
            "roberta-base twin", spec.PositionalEmbedding, count="all"
        ),
        "RoBERTa: offset 1": wrong("roberta-base twin", spec.PositionalEmbedding, offset=1),
        "GPT-2: GELU by erf": wrong("gpt2 twin", spec.GELU, approximate=False),
        "GPT-2: head not tied": another("gpt2 twin", untied),
        "GPT-2: not causal": wrong("gpt2 twin", spec.Attention, causal=False),
        "decoder: rotary pairs": wrong("llama-125m twin", spec.Attention, rotary=pairs),
        "decoder: epsilon 1e-6": wrong("llama-125m twin", spec.RMSNorm, epsilon=1e-6),
        "Transformer: table not scaled": wrong("transformer-base twin", spec.Embedding, scale=1.0),
        "Transformer: sinusoids interleaved": wrong(
            "transformer-base twin", spec.PositionalEncoding, layout="interleaved"
        ),
        "ResNet-50: stride in the first 1x1": another("resnet50 twin", v1),
        "ResNet-50: momentum 0.01": wrong("resnet50 twin", spec.BatchNorm, momentum=0.01),
        "Inception-v3: padding not counted": another(
            "inception-v3", inception_v3(size=139, count_padding=False)
        ),
        "ViT: epsilon 1e-12": wrong("vit-b16 twin", spec.LayerNorm, epsilon=1e-12),
    }


def found(
    what: str, witness: Witness, interpreter: str, reference: Configuration, folder: Path
) -> dict[str, Any]:
    """How far the reference's program of the wrong spec is off; None where the library refuses its
    names.
    """
    known = {"mistake": what, "library": witness.library, "model": witness.name}
    try:
        (answer,) = ask(witness, interpreter, [reference], folder)
    except NotItsNames:
        return known | {"found": True, "logits": None, "gradient": None, "buffers": None}
    off = {key: getattr(answer, key) for key in ("logits", "gradient", "buffers")}
    return known | {"found": not answer.same} | off


def main() -> int:
    """0 if all are found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("interpreters", nargs="+", metavar="LIBRARY=INTERPRETER")
    parser.add_argument("--output", type=Path, metavar="FILE")
    asked = parser.parse_args()
    interpreters = dict(each.split("=", 1) for each in asked.interpreters)
    reference = reference_configuration(discover({}))
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        for what, witness in planted().items():
            interpreter = interpreters[witness.library]
            answers.append(found(what, witness, interpreter, reference, Path(folder)))
            print(f"{'found' if answers[-1]['found'] else 'MISSED':7} {what}", flush=True)
    if asked.output:
        write_whole(asked.output, json.dumps(answers, indent=1) + "\n")
    return int(not all(answer["found"] for answer in answers))


if __name__ == "__main__":
    sys.exit(main())
