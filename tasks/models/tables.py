"""The names of arrays in the libraries' own implementations, by library and model."""

from __future__ import annotations

from tasks.models.names import Names

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
    ignored=(r"^cls\.predictions\.decoder\.", r"position_ids$"),
)
ROBERTA = Names(
    rules=(
        *ENCODER,
        (r"^(embeddings|encoder)\.", r"roberta.\1."),
        (r"^transform\.", "lm_head.dense."),
        (r"^transform_norm\.", "lm_head.layer_norm."),
        (r"^decoder\.", "lm_head."),
    ),
    ignored=(r"^lm_head\.decoder\.", r"position_ids$"),
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
    ignored=(r"^lm_head\.weight$", r"\.attn\.(?:masked_)?bias$"),
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
    ignored=(r"^lm_head\.weight$", r"rotary_emb\.inv_freq$"),
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
    ignored=(
        r"embed_tokens\.weight$",
        r"embed_positions\.weight$",
        r"^lm_head\.weight$",
        r"^final_logits_bias$",
    ),
)

TABLES: dict[str, dict[str, Names]] = {
    "torchvision": {
        "resnet-50": IMAGES,
        "vgg-16": IMAGES,
        "inception-v3": IMAGES,
        "vit-b16": TORCHVISION_VIT,
    },
    "transformers": {
        "bert-base": BERT,
        "roberta-base": ROBERTA,
        "gpt2": GPT2,
        "llama-125m": LLAMA,
        "vit-b16": VIT,
        "transformer-base": MARIAN,
    },
}
