"""Which model is held beside which class of a library: at its own size, and as a small twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import codec
from tasks.base import Batch, Task, probe_batch
from tasks.models.bert import bert, roberta
from tasks.models.gpt2 import gpt2
from tasks.models.inception import inception_v3
from tasks.models.llama import llama
from tasks.models.names import Names
from tasks.models.resnet import resnet50, resnet50_v1
from tasks.models.transformer import transformer
from tasks.models.vgg import vgg16
from tasks.models.vit import vit_b16
from tasks.parameters import probe, probe_buffers
from tasks.spec import GELU, SGD, Layer, ModelSpec
from tests.studies.witnesses.tables import TABLES

STEPS, SEED = 32, 1
RIGHT = np.arange(STEPS) < np.array([[STEPS], [STEPS - 11]])
LEFT = RIGHT[:, ::-1]

IMAGE, TEXT = {"": "x"}, {"": "input_ids"}
TEXTS = {"ids": "input_ids", "types": "token_type_ids"}
PAIR = {"source": "input_ids", "target": "decoder_input_ids"}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def changed(model: ModelSpec, kind: type[Layer], **fields: object) -> ModelSpec:
    """Every layer of a kind with other fields."""
    for place in model.places():
        if isinstance(place.layer, kind):
            other = replace(place.layer, **fields)
            model = model.with_layer(place.path, other)
    return model


@dataclass(frozen=True, kw_only=True)
class Witness:
    """A spec beside a class of a library. ``arguments`` are of the class, or of its configuration;
    ``inputs`` and ``masks`` are what its call names ours; ``valid`` is the batch's mask, and
    ``padding`` the id that padded steps have and valid ones do not. ``apart`` matches buffers that
    are other ones there: Keras divides the running variance by n.
    """

    name: str
    library: str
    model: ModelSpec
    kind: str
    arguments: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=lambda: IMAGE)
    masks: Mapping[str, str] = field(default_factory=dict)
    valid: Any = None
    padding: int | None = None
    samples: int = 2
    apart: str | None = None
    gradients: float = 1e-10  # what they may be off, relative

    @property
    def twin(self) -> bool:
        """Is it small, and asked in every program?"""
        return self.name.endswith("twin")

    @property
    def task(self) -> Task:
        """The model as parity asks it."""
        return codec.bare(replace(self.model, name=self.name), SGD(learning_rate=0.1), self.samples)

    @property
    def names(self) -> Names:
        """What the library calls its arrays."""
        return TABLES[self.library][self.model.name]

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return self.model.size()

    def start(self) -> dict[str, NDArray[Any]]:
        """Random parameters and buffers."""
        return probe(self.model, SEED) | probe_buffers(self.model, SEED)

    def batch(self) -> Batch:
        """Random samples; of padded steps the targets are left out."""
        batch = probe_batch(self.task, self.samples, SEED)
        ids: Any = batch.inputs
        if self.padding is not None:
            for name in self.masks:
                ids[name][ids[name] == self.padding] = self.padding + 1
                if self.valid is not None:
                    ids[name][~self.valid[name]] = self.padding
        targets = batch.targets
        if self.valid is not None and targets.ndim > 1:
            last = self.valid[[*self.masks][-1]] if isinstance(self.valid, dict) else self.valid
            targets = np.where(last, targets, np.int32(-1))
        return replace(batch, inputs=ids, targets=targets, valid=self.valid)


def vision(name: str, model: ModelSpec, kind: str, samples: int = 2, **arguments: Any) -> Witness:
    """A model of torchvision's."""
    return Witness(
        name=name,
        library="torchvision",
        model=model,
        kind=kind,
        arguments=arguments,
        samples=samples,
    )


def text(name: str, model: ModelSpec, kind: str, **more: Any) -> Witness:
    """A model of transformers'."""
    return Witness(name=name, library="transformers", model=model, kind=kind, **more)


def keras(table: str, model: ModelSpec, kind: str, size: int, **more: Any) -> Witness:
    """A model of keras.applications'."""
    return Witness(
        name=f"{model.name} of keras",
        library="keras",
        model=replace(model, name=table),
        kind=kind,
        arguments={"input_shape": (size, size, 3)},
        apart=r"/moving_variance$",
        **more,
    )


SMALL: dict[str, Any] = {"blocks": 2, "width": 16, "heads": 4, "vocabulary": 97}
ENCODER_TWIN = {
    "vocab_size": 97,
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
ROBERTA = {"type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1}
GPT2 = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
LLAMA = {"tie_word_embeddings": True, "rms_norm_eps": 1e-5}
MARIAN = {
    "scale_embedding": True,
    "activation_function": "relu",
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "static_position_embeddings": True,
    "share_encoder_decoder_embeddings": True,
    "pad_token_id": 0,
    "decoder_start_token_id": 0,
    "eos_token_id": 1,
    "forced_eos_token_id": None,
    "max_position_embeddings": STEPS,
}
HUGGING_BERT = {"inputs": TEXTS, "masks": {"ids": "attention_mask"}}
ONE = {"inputs": TEXT, "masks": {"": "attention_mask"}}
TWO = {
    "inputs": PAIR,
    "masks": {"source": "attention_mask", "target": "decoder_attention_mask"},
    "valid": {"source": RIGHT, "target": RIGHT[::-1]},
    "padding": 0,
}


def marian(blocks: int, width: int, heads: int, hidden: int, vocabulary: int) -> dict[str, Any]:
    """Of its configuration."""
    sizes: dict[str, Any] = {"vocab_size": vocabulary, "d_model": width}
    for part in ("encoder", "decoder"):
        sizes |= {f"{part}_layers": blocks, f"{part}_attention_heads": heads}
        sizes |= {f"{part}_ffn_dim": hidden}
    return sizes | MARIAN


WITNESSES = [
    vision("resnet50", resnet50(size=64), "ResNet", layers=[3, 4, 6, 3]),
    vision(
        "resnet50 twin",
        resnet50(size=64, classes=10, blocks=(1, 1, 1, 1)),
        "ResNet",
        layers=[1, 1, 1, 1],
        num_classes=10,
    ),
    vision("vgg16", vgg16(), "vgg16", samples=1),
    vision(
        "inception-v3",
        inception_v3(size=139),
        "inception_v3",
        aux_logits=False,
        init_weights=False,
    ),
    vision("vit-b16", vit_b16(size=64), "vit_b_16", image_size=64),
    vision(
        "vit-b16 twin",
        vit_b16(size=32, patch=8, classes=10, layers=2, width=16, heads=4, hidden=24),
        "VisionTransformer",
        image_size=32,
        patch_size=8,
        num_layers=2,
        num_heads=4,
        hidden_dim=16,
        mlp_dim=24,
        num_classes=10,
    ),
    text(
        "bert-base",
        bert(steps=STEPS),
        "BertForMaskedLM",
        arguments=NO_DROPOUT,
        valid={"ids": RIGHT},
        padding=0,
        **HUGGING_BERT,
    ),
    text(
        "bert-base twin",
        bert(steps=STEPS, rows=40, hidden=24, **SMALL),
        "BertForMaskedLM",
        arguments=NO_DROPOUT | ENCODER_TWIN,
        valid={"ids": LEFT},
        padding=0,
        **HUGGING_BERT,
    ),
    text(
        "roberta-base",
        roberta(steps=STEPS),
        "RobertaForMaskedLM",
        arguments=NO_DROPOUT | ROBERTA | {"vocab_size": 50_265, "max_position_embeddings": 514},
        valid={"ids": LEFT},
        padding=1,
        **HUGGING_BERT,
    ),
    text(
        "roberta-base twin",
        roberta(steps=STEPS, rows=40, hidden=24, **SMALL),
        "RobertaForMaskedLM",
        arguments=NO_DROPOUT | ENCODER_TWIN | ROBERTA,
        valid={"ids": LEFT},
        padding=1,
        **HUGGING_BERT,
    ),
    text("gpt2", gpt2(steps=STEPS), "GPT2LMHeadModel", arguments=GPT2, valid=RIGHT, **ONE),
    text(
        "gpt2 twin",
        gpt2(steps=STEPS, rows=40, **SMALL),
        "GPT2LMHeadModel",
        arguments=GPT2
        | {"vocab_size": 97, "n_positions": 40, "n_layer": 2, "n_embd": 16, "n_head": 4},
        valid=RIGHT,
        **ONE,
    ),
    text(
        "llama-125m",
        llama(steps=STEPS),
        "LlamaForCausalLM",
        arguments=LLAMA
        | {
            "vocab_size": 32_000,
            "num_hidden_layers": 12,
            "hidden_size": 768,
            "num_attention_heads": 12,
            "num_key_value_heads": 4,
            "intermediate_size": 2048,
        },
        valid=RIGHT,
        **ONE,
    ),
    text(
        "llama-125m twin",
        llama(steps=STEPS, hidden=24, key_value_heads=2, **SMALL),
        "LlamaForCausalLM",
        arguments=LLAMA | ENCODER_TWIN | {"num_key_value_heads": 2},
        valid=RIGHT,
        **ONE,
    ),
    text(
        "vit-b16 of transformers",
        vit_b16(size=64, epsilon=1e-12),
        "ViTForImageClassification",
        arguments=NO_DROPOUT | {"image_size": 64, "num_labels": 1000},
        inputs={"": "pixel_values"},
    ),
    text(
        "transformer-base",
        transformer(),
        "MarianMTModel",
        arguments=marian(6, 512, 8, 2048, 37_000),
        **TWO,
    ),
    text(
        "transformer-base twin",
        transformer(hidden=24, **SMALL),
        "MarianMTModel",
        arguments=marian(2, 16, 4, 24, 97),
        **TWO,
    ),
    keras(
        "resnet50-v1",
        resnet50_v1(size=64),
        "ResNet50",
        64,
        gradients=1e-9,  # of biases before batch norm it is 0, and rounding 1.7e-16 of the largest
    ),
    keras("vgg16", vgg16(size=64), "VGG16", 64),
    keras(
        "inception-v3-keras",
        inception_v3(size=139, scale=False, count_padding=False, momentum=0.01),
        "InceptionV3",
        139,
    ),
    Witness(
        name="bert-base twin of keras_hub",
        library="keras_hub",
        model=changed(
            bert(steps=STEPS, rows=40, hidden=24, pooled=True, **SMALL), GELU, approximate=True
        ),
        kind="BertBackbone",
        arguments={
            "vocabulary_size": 97,
            "num_layers": 2,
            "num_heads": 4,
            "hidden_dim": 16,
            "intermediate_dim": 24,
            "dropout": 1e-300,  # none, but with 0 softmax is in float32: 8.1e-9 off
            "max_sequence_length": 40,
        },
        inputs={"ids": "token_ids", "types": "segment_ids"},
        masks={"ids": "padding_mask"},
        valid={"ids": RIGHT},
    ),
]
FLAX = ("bert-base", "roberta-base", "gpt2")
WITNESSES += [
    replace(each, name=f"{each.name} of flax", library="flax", kind=f"Flax{each.kind}")
    for each in WITNESSES
    if each.library == "transformers" and each.model.name in FLAX and each.twin
]
