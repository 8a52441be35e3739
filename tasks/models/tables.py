"""The names of arrays in the libraries' own implementations, by library and model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.models.inception import inception_v3
from tasks.models.names import Names
from tasks.models.vgg import CONVOLUTIONS

Rules = tuple[tuple[str, str], ...]

IMAGES = Names(ignored=(r"num_batches_tracked$", r"^AuxLogits\."))  # torchvision's are ours

TORCHVISION_VIT = Names(
    rules=(
        (r"^patches\.", "conv_proj."),
        (r"^class_token\.weight$", "class_token"),
        (r"^position\.weight$", "encoder.pos_embedding"),
        (r"^norm\.", "encoder.ln."),
        (r"^head\.", "heads.head."),
        (r"^layers\.(\d+)\.", r"encoder.layers.encoder_layer_\1."),
        (r"\.norm(\d)\.", r".ln_\1."),
        (r"\.attention\.(?:query|key|value)\.", r".self_attention.in_proj_"),
        (r"\.attention\.output\.", ".self_attention.out_proj."),
        (r"\.linear1\.", ".mlp.0."),
        (r"\.linear2\.", ".mlp.3."),
    ),
    joined=(r"\.in_proj_",),
    lifted={"class_token": 2, "pos_embedding": 1},
)

OLDER: Rules = ((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias"))
ENCODER: Rules = (  # of BERT's kin in transformers
    (r"^word\.", "embeddings.word_embeddings."),
    (r"^type\.", "embeddings.token_type_embeddings."),
    (r"^position\.", "embeddings.position_embeddings."),
    (r"^norm\.", "embeddings.LayerNorm."),
    (r"\.attention\.(query|key|value)\.", r".attention.self.\1."),
    (r"\.attention\.output\.", ".attention.output.dense."),
    (r"\.norm1\.", ".attention.output.LayerNorm."),
    (r"\.linear1\.", ".intermediate.dense."),
    (r"\.linear2\.", ".output.dense."),
    (r"\.norm2\.", ".output.LayerNorm."),
    (r"^layer\.", "encoder.layer."),
)
BERT = Names(
    rules=(
        *ENCODER,
        (r"^(embeddings|encoder)\.", r"bert.\1."),
        (r"^transform\.", "cls.predictions.transform.dense."),
        (r"^transform_norm\.", "cls.predictions.transform.LayerNorm."),
        (r"^decoder\.", "cls.predictions."),
    ),
    older=OLDER,
    second={
        r"^cls\.predictions\.decoder\.weight$": "bert.embeddings.word_embeddings.weight",
        r"^cls\.predictions\.decoder\.bias$": "cls.predictions.bias",
    },
    ignored=(r"position_ids$",),
)
BERT_CLASSIFIER = Names(
    rules=(
        *ENCODER,
        (r"^pooler\.", "pooler.dense."),
        (r"^(embeddings|encoder|pooler)\.", r"bert.\1."),
    ),
    older=OLDER,
    ignored=(r"position_ids$",),
)
ROBERTA = Names(
    rules=(
        *ENCODER,
        (r"^(embeddings|encoder)\.", r"roberta.\1."),
        (r"^transform\.", "lm_head.dense."),
        (r"^transform_norm\.", "lm_head.layer_norm."),
        (r"^decoder\.", "lm_head."),
    ),
    second={
        r"^lm_head\.decoder\.weight$": "roberta.embeddings.word_embeddings.weight",
        r"^lm_head\.decoder\.bias$": "lm_head.bias",
    },
    ignored=(r"position_ids$",),
)
ROBERTA_CLASSIFIER = Names(
    rules=(
        *ENCODER,
        (r"^(embeddings|encoder)\.", r"roberta.\1."),
        (r"^classifier\.", "classifier.out_proj."),
        (r"^pooler\.", "classifier.dense."),
    ),
    ignored=(r"position_ids$",),
)
GPT2 = Names(
    rules=(
        (r"^word\.", "wte."),
        (r"^position\.", "wpe."),
        (r"^norm\.", "ln_f."),
        (r"\.norm(\d)\.", r".ln_\1."),
        (r"\.attention\.(?:query|key|value)\.", ".attn.c_attn."),
        (r"\.attention\.output\.", ".attn.c_proj."),
        (r"\.linear1\.", ".mlp.c_fc."),
        (r"\.linear2\.", ".mlp.c_proj."),
        (r"^", "transformer."),
    ),
    joined=(r"\.c_attn\.",),
    transposed=(r"\.c_(?:attn|proj|fc)\.weight$",),
    second={r"^lm_head\.weight$": "transformer.wte.weight"},
    ignored=(r"\.attn\.(?:masked_)?bias$",),
)
LLAMA = Names(
    rules=(
        (r"^word\.", "embed_tokens."),
        (r"\.attention\.(query|key|value)\.", r".self_attn.\1_proj."),
        (r"\.(q|k|v)(?:uery|ey|alue)_proj\.", r".\1_proj."),
        (r"\.attention\.output\.", ".self_attn.o_proj."),
        (r"\.norm1\.", ".input_layernorm."),
        (r"\.norm2\.", ".post_attention_layernorm."),
        (r"\.(gate|up|down)\.", r".mlp.\1_proj."),
        (r"^", "model."),
    ),
    second={r"^lm_head\.weight$": "model.embed_tokens.weight"},
    ignored=(r"rotary_emb\.inv_freq$",),
)
VIT = Names(
    rules=(
        (r"^patches\.", "vit.embeddings.patch_embeddings.projection."),
        (r"^class_token\.weight$", "vit.embeddings.cls_token"),
        (r"^position\.weight$", "vit.embeddings.position_embeddings"),
        (r"^norm\.", "vit.layernorm."),
        (r"^head\.", "classifier."),
        (r"^layers\.", "vit.encoder.layer."),
        (r"\.attention\.(query|key|value)\.", r".attention.attention.\1."),
        (r"\.attention\.output\.", ".attention.output.dense."),
        (r"\.norm1\.", ".layernorm_before."),
        (r"\.norm2\.", ".layernorm_after."),
        (r"\.linear1\.", ".intermediate.dense."),
        (r"\.linear2\.", ".output.dense."),
    ),
    lifted={"cls_token": 2, "position_embeddings": 1},
)
MARIAN = Names(
    rules=(
        (r"^source_word\.", "shared."),
        (r"^(encoder|decoder)\.", r"\1.layers."),
        (r"\.cross\.", ".encoder_attn."),
        (r"\.attention\.", ".self_attn."),
        (r"_attn\.(q|k|v)(?:uery|ey|alue)\.", r"_attn.\1_proj."),
        (r"_attn\.output\.", "_attn.out_proj."),
        (r"\.norm1\.", ".self_attn_layer_norm."),
        (r"^(encoder.*)\.norm2\.", r"\1.final_layer_norm."),
        (r"\.norm2\.", ".encoder_attn_layer_norm."),
        (r"\.norm3\.", ".final_layer_norm."),
        (r"\.linear(\d)\.", r".fc\1."),
        (r"^", "model."),
    ),
    second={
        r"^model\.(?:encoder|decoder)\.embed_tokens\.weight$": "model.shared.weight",
        r"^lm_head\.weight$": "model.shared.weight",
    },
    zero=(r"^final_logits_bias$",),
    ignored=(r"embed_positions\.weight$",),
)

BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
KERNEL: Rules = ((r"\.weight$", "/kernel"), (r"\.bias$", "/bias"))
NORMS: Rules = tuple(
    (rf"^(.*bn\d?|.*downsample\.1)\.{own}$", rf"\1/{theirs}") for own, theirs in BATCH_NORM.items()
)


def _blocks_of_resnet() -> Rules:
    """Our stages and blocks count from 1 and 0, Keras's from 2 and 1; of 99 blocks at most."""
    stages = ((rf"^layer{stage}\.", f"conv{stage + 1}_block") for stage in range(1, 5))
    blocks = ((rf"_block{block}\.", f"_block{block + 1}.") for block in reversed(range(99)))
    return (*stages, *blocks)


def _convolutions_of_vgg() -> Iterator[tuple[int, int, int]]:
    """The place of each among the features, its block and its number there."""
    place = 0
    for block, (count, _) in enumerate(CONVOLUTIONS, start=1):
        for number in range(1, count + 1):
            yield place, block, number
            place += 2  # a ReLU follows
        place += 1  # a pool


def _parts_of_inception() -> Iterator[str]:
    """The paths of a convolution with its norm, in the order in which Keras counts them."""
    places = inception_v3(size=75, width=1).places()
    return (place.path.removesuffix(".conv") for place in places if place.path.endswith(".conv"))


KERAS_RESNET = Names(
    rules=(
        *NORMS,
        *KERNEL,
        (r"^conv1/", "conv1_conv/"),
        (r"^bn1/", "conv1_bn/"),
        (r"^fc/", "predictions/"),
        *_blocks_of_resnet(),
        (r"\.downsample\.0/", "_0_conv/"),
        (r"\.downsample\.1/", "_0_bn/"),
        (r"\.conv(\d)/", r"_\1_conv/"),
        (r"\.bn(\d)/", r"_\1_bn/"),
    ),
    transposed=(r"/kernel$",),
)
KERAS_VGG = Names(
    rules=(
        *KERNEL,
        *(
            (rf"^features\.{place}/", f"block{block}_conv{conv}/")
            for place, block, conv in _convolutions_of_vgg()
        ),
        (r"^classifier\.0/", "fc1/"),
        (r"^classifier\.3/", "fc2/"),
        (r"^classifier\.6/", "predictions/"),
    ),
    transposed=(r"/kernel$",),
    flattened={"classifier.0.weight": "features.28.bias"},
)
KERAS_INCEPTION = Names(
    rules=(
        *NORMS,
        *KERNEL,
        (r"^fc/", "predictions/"),
        *(
            rule
            for number, path in enumerate(_parts_of_inception())
            for rule in (
                (rf"^{re.escape(path)}\.conv/", f"conv2d_{number}/"),
                (rf"^{re.escape(path)}\.bn/", f"batch_normalization_{number}/"),
            )
        ),
    ),
    transposed=(r"/kernel$",),
)

TABLES: dict[str, dict[str, Names]] = {
    "torchvision": {
        "resnet50": IMAGES,
        "vgg16": IMAGES,
        "inception-v3": IMAGES,
        "vit-b16": TORCHVISION_VIT,
    },
    "transformers": {
        "bert-base": BERT,
        "roberta-base": ROBERTA,
        "gpt2": GPT2,
        "llama-125m": LLAMA,
        "vit-b16": VIT,  # at another epsilon than theirs
        "vit-b16-transformers": VIT,
        "transformer-base": MARIAN,
        "bert-classifier": BERT_CLASSIFIER,
        "roberta-classifier": ROBERTA_CLASSIFIER,
    },
    "keras": {
        "resnet50-v1": KERAS_RESNET,
        "vgg16": KERAS_VGG,
        "inception-v3-keras": KERAS_INCEPTION,
    },
}
