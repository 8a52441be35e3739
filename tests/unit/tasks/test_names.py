"""Arrays go by the libraries' names and come back; what is not the model's is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.models.catalogue import MODELS
from tasks.models.names import NamesError, match, to_ours, to_theirs
from tasks.models.tables import TABLES
from tasks.parameters import probe, probe_buffers

SMALL = {"blocks": 2, "width": 8, "heads": 2, "vocabulary": 11}
TEXT = SMALL | {"steps": 5, "rows": 9}
IMAGE = {"classes": 3, "width": 1}
SIZES = {
    "resnet50": {"size": 32, "classes": 3, "blocks": (1, 2), "width": 2},
    "resnet50-v1": {"size": 32, "classes": 3, "blocks": (1, 2), "width": 2},
    "vgg16": IMAGE | {"size": 96, "hidden": 4},
    "inception-v3": IMAGE | {"size": 75},
    "inception-v3-keras": IMAGE | {"size": 75},
    "vit-b16": {"size": 12, "patch": 4, "classes": 3, "layers": 2, "width": 8, "heads": 2}
    | {"hidden": 12},
    "bert-base": TEXT | {"hidden": 12},
    "bert-classifier": TEXT | {"hidden": 12, "classes": 3},
    "roberta-base": TEXT | {"hidden": 12},
    "roberta-classifier": TEXT | {"hidden": 12, "classes": 3},
    "gpt2": TEXT,
    "llama-125m": SMALL | {"steps": 5, "hidden": 12, "key_value_heads": 1},
    "transformer-base": SMALL | {"hidden": 12},
}
SIZES["vit-b16-transformers"] = SIZES["vit-b16"]
TWINS = {name: MODELS[name].make(**sizes) for name, sizes in SIZES.items()}
EVERY = [(library, model) for library, models in TABLES.items() for model in models]
NAMED = {  # some names, as the libraries' own state dictionaries have them, and their shapes
    ("torchvision", "resnet50"): {"layer1.0.downsample.1.running_var": (8,)},
    ("torchvision", "vit-b16"): {
        "class_token": (1, 1, 8),
        "encoder.pos_embedding": (1, 10, 8),
        "encoder.layers.encoder_layer_1.self_attention.in_proj_weight": (24, 8),
        "encoder.layers.encoder_layer_0.mlp.3.bias": (8,),
        "heads.head.weight": (3, 8),
    },
    ("transformers", "bert-base"): {
        "bert.embeddings.token_type_embeddings.weight": (2, 8),
        "bert.encoder.layer.1.attention.self.key.bias": (8,),
        "bert.encoder.layer.1.attention.output.LayerNorm.weight": (8,),
        "bert.encoder.layer.0.intermediate.dense.weight": (12, 8),
        "cls.predictions.transform.LayerNorm.bias": (8,),
        "cls.predictions.bias": (11,),
    },
    ("transformers", "roberta-base"): {
        "roberta.embeddings.LayerNorm.weight": (8,),
        "lm_head.layer_norm.weight": (8,),
        "lm_head.bias": (11,),
    },
    ("transformers", "gpt2"): {
        "transformer.h.1.attn.c_attn.weight": (8, 24),
        "transformer.h.1.attn.c_attn.bias": (24,),
        "transformer.h.0.mlp.c_fc.weight": (8, 32),
        "transformer.ln_f.bias": (8,),
    },
    ("transformers", "llama-125m"): {
        "model.layers.1.self_attn.k_proj.weight": (4, 8),
        "model.layers.1.mlp.down_proj.weight": (8, 12),
        "model.layers.0.post_attention_layernorm.weight": (8,),
        "model.norm.weight": (8,),
    },
    ("transformers", "bert-classifier"): {
        "bert.pooler.dense.weight": (8, 8),
        "bert.embeddings.LayerNorm.bias": (8,),
        "classifier.weight": (3, 8),
    },
    ("transformers", "roberta-classifier"): {
        "roberta.encoder.layer.1.output.dense.weight": (8, 12),
        "classifier.dense.bias": (8,),
        "classifier.out_proj.weight": (3, 8),
    },
    ("keras", "resnet50-v1"): {
        "conv1_conv/kernel": (7, 7, 3, 2),
        "conv1_bn/moving_variance": (2,),
        "conv2_block1_0_conv/bias": (8,),
        "conv2_block1_0_bn/gamma": (8,),
        "conv3_block2_3_conv/kernel": (1, 1, 4, 16),
        "conv3_block2_3_bn/moving_mean": (16,),
        "predictions/kernel": (16, 3),
    },
    ("keras", "vgg16"): {
        "block1_conv1/kernel": (3, 3, 3, 1),
        "block3_conv3/bias": (4,),
        "block5_conv3/kernel": (3, 3, 8, 8),
        "fc1/kernel": (72, 4),
        "predictions/kernel": (4, 3),
    },
    ("keras", "inception-v3-keras"): {
        "conv2d_0/kernel": (3, 3, 3, 2),
        "batch_normalization_93/beta": (12,),
        "conv2d_88/kernel": (3, 1, 24, 24),
        "predictions/bias": (3,),
    },
    ("transformers", "vit-b16"): {
        "vit.embeddings.cls_token": (1, 1, 8),
        "vit.encoder.layer.0.attention.attention.query.weight": (8, 8),
        "vit.encoder.layer.0.layernorm_after.bias": (8,),
    },
    ("transformers", "transformer-base"): {
        "model.shared.weight": (11, 8),
        "model.decoder.layers.1.encoder_attn.v_proj.bias": (8,),
        "model.decoder.layers.1.encoder_attn_layer_norm.weight": (8,),
        "model.encoder.layers.0.final_layer_norm.weight": (8,),
        "model.decoder.layers.0.fc2.weight": (8, 12),
    },
}


def arrays(name: str) -> dict[str, np.ndarray]:
    """Parameters and buffers of a twin."""
    return probe(TWINS[name], 1) | probe_buffers(TWINS[name], 1)


@pytest.mark.parametrize(("library", "name"), EVERY)
def test_arrays_come_back(library, name):
    own, table = arrays(name), TABLES[library][name]
    there = to_theirs(table, own)
    assert sum(array.size for array in there.values()) == sum(a.size for a in own.values())
    back = to_ours(table, TWINS[name], there)
    assert back.keys() == own.keys()
    assert all(np.array_equal(back[path], array) for path, array in own.items())


@pytest.mark.parametrize(("library", "name"), NAMED)
def test_names_are_the_librarys(library, name):
    there = to_theirs(TABLES[library][name], arrays(name))
    for theirs, shape in NAMED[library, name].items():
        assert there[theirs].shape == shape


def test_torchvision_names_images_models_as_we_do():
    for name in ("resnet50", "vgg16", "inception-v3"):
        own = arrays(name)
        assert to_theirs(TABLES["torchvision"][name], own).keys() == own.keys()


def test_joined_projections_stand_in_order():
    own, table = arrays("gpt2"), TABLES["transformers"]["gpt2"]
    joined = to_theirs(table, own)["transformer.h.0.attn.c_attn.weight"]
    for turn, name in enumerate(("query", "key", "value")):
        wanted = own[f"h.0.attention.{name}.weight"].T
        assert np.array_equal(joined[:, 8 * turn : 8 * turn + 8], wanted)


BERT = TABLES["transformers"]["bert-base"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda a: a.pop("bert.embeddings.LayerNorm.bias"),
            r"bert.embeddings.LayerNorm.bias, which is norm.bias of bert-base, is missing$",
        ),
        (
            lambda a: [
                a.pop(f"cls.predictions.{name}") for name in ("bias", "transform.dense.bias")
            ],
            "is missing, and 1 more$",
        ),
        (
            lambda a: a.update({"bert.pooler.dense.bias": np.zeros(8)}),
            "bert.pooler.dense.bias is nothing that bert-base has$",
        ),
        (
            lambda a: a.update({"cls.predictions.bias": np.zeros(12)}),
            r"cls.predictions.bias has the shape \(12,\); decoder.bias is of \(11,\)$",
        ),
    ],
    ids=["missing", "several", "left over", "shape"],
)
def test_what_is_not_the_models_is_named(change, words):
    there = to_theirs(BERT, arrays("bert-base"))
    change(there)
    with pytest.raises(NamesError, match=words):
        to_ours(BERT, TWINS["bert-base"], there)


def test_second_names_are_no_part_of_the_model():
    there = to_theirs(BERT, arrays("bert-base"))
    there["cls.predictions.decoder.weight"] = there["bert.embeddings.word_embeddings.weight"]
    assert to_ours(BERT, TWINS["bert-base"], there).keys() == arrays("bert-base").keys()


def test_a_second_name_must_hold_what_it_repeats():
    there = to_theirs(BERT, arrays("bert-base"))
    there["cls.predictions.decoder.bias"] = there["cls.predictions.bias"] + 1
    with pytest.raises(NamesError, match=r"decoder\.bias is an array of its own"):
        to_ours(BERT, TWINS["bert-base"], there)


@pytest.mark.parametrize(("bias", "wrong"), [(0.0, ()), (0.5, ("final_logits_bias",))])
def test_what_adds_nothing_must_be_zero(bias, wrong):
    table = TABLES["transformers"]["transformer-base"]
    there = to_theirs(table, arrays("transformer-base")) | {"final_logits_bias": np.full(11, bias)}
    assert match(table, TWINS["transformer-base"], there).apart == wrong


def test_an_image_that_is_flattened_with_its_channels_last_gives_the_same_product():
    own, table = arrays("vgg16"), TABLES["keras"]["vgg16"]
    image = np.random.default_rng(0).standard_normal((8, 3, 3))  # channels, height, width
    theirs = image.transpose(1, 2, 0).ravel() @ to_theirs(table, own)["fc1/kernel"]
    assert np.allclose(theirs, own["classifier.0.weight"] @ image.ravel(), rtol=1e-12)


def test_lifted_arrays_of_another_shape_stay_as_they_are():
    table = TABLES["torchvision"]["vit-b16"]
    there = to_theirs(table, arrays("vit-b16")) | {"class_token": np.ones((1, 5, 8))}
    found = match(table, TWINS["vit-b16"], there)
    assert found.misshapen == {"class_token.weight": ("class_token", (1, 5, 8), (8,))}
