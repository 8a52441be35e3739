"""The tables of names, with those of a library whose files ``tribench weights`` does not read."""

from __future__ import annotations

from tasks.models import tables
from tasks.models.names import Names

KERAS_HUB_BERT = Names(
    rules=(
        (r"norm(\d?)\.weight$", r"norm\1/gamma"),
        (r"norm(\d?)\.bias$", r"norm\1/beta"),
        (r"^word\.weight$", "token_embedding/embeddings"),
        (r"^type\.weight$", "segment_embedding/embeddings"),
        (r"^position\.weight$", "position_embedding/embeddings"),
        *tables.KERNEL,
        (r"^norm/", "embeddings_layer_norm/"),
        (r"^layer\.(\d+)\.", r"transformer_layer_\1/"),
        (r"/attention\.(query|key|value)/", r"/self_attention_layer/\1/"),
        (r"/attention\.output/", "/self_attention_layer/attention_output/"),
        (r"/norm1/", "/self_attention_layer_norm/"),
        (r"/linear1/", "/feedforward_intermediate_dense/"),
        (r"/linear2/", "/feedforward_output_dense/"),
        (r"/norm2/", "/feedforward_layer_norm/"),
        (r"^pooler/", "pooled_dense/"),
    ),
    transposed=(r"/kernel$",),
)

TABLES = tables.TABLES | {
    "keras_hub": {"bert-base": KERAS_HUB_BERT},
    "flax": tables.TABLES["transformers"],
}
