"""Start a small Llama with heads that can copy, instead of hoping that a minute of training grows them.

An induction head (https://arxiv.org/abs/2209.11895) finds where the current token occurred before and repeats
what came next. It needs two layers: in the first, a head carries each token's predecessor forward; in the
second, a head whose queries are tokens and whose keys are those predecessors. Large models grow such heads
over billions of tokens; here they are the initial values of otherwise random weights, and training is free to
change them.

h hidden width, d head width, H heads. Rotary positions turn pair i (dims i and i + d/2) by theta_i per
position: fast pairs tell neighbours apart, slow pairs hardly turn within a text and so can carry content.
"""

from __future__ import annotations

from typing import Any

import torch

_SLOW = 0.01  # radians per position below which a rotary pair carries content
_SHARPNESS = 7.0  # scale of the position-only scores: the neighbour gets nearly all of the attention
_MATCH = 2.5  # scale of the content scores
_COPY = 8.0  # how loudly the found token is written, in units of an embedding
_LOOK_BACK = (1, 2, 3)  # tokens back, one head of layer 0 each
# Heads of layer 1 as (query, key): how many tokens back the compared tokens lie. (0, 1) is the textbook
# induction head; (1, 1) finds the place where the token before the current one was followed by what comes
# next here.
_FINDERS = ((0, 1), (0, 2), (1, 1), (2, 1))


@torch.no_grad()
def plant_copy_heads(model: Any, seed: int) -> None:
    """Give layer 0 heads that look 1, 2, 3 tokens back and layer 1 heads that find by them and copy what they
    find.

    Needs a Llama with `attention_bias`, at least two layers, as many key-value heads as heads, and 4 heads or
    more.
    """
    config = model.config
    width, heads = config.hidden_size, config.num_attention_heads
    d = width // heads
    theta = config.rope_parameters["rope_theta"] ** (-torch.arange(d // 2) / (d // 2))  # (d/2,)
    slow = (theta < _SLOW).nonzero().flatten()
    content = torch.cat([slow, slow + d // 2])  # dims of a head that may carry content
    generator = torch.Generator().manual_seed(seed)
    scale = float(model.get_input_embeddings().weight.std())
    first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    read = _orthonormal(width, generator)[:d]  # (d, h): what a token is, seen from the embedding
    places = [read]  # where a token finds the one 0, 1, 2, 3 tokens before it
    for head, distance in enumerate(_LOOK_BACK):
        rows = slice(head * d, (head + 1) * d)
        places.append(_orthonormal(width, generator)[:d])
        _look_back(first, rows, theta, distance)
        first.v_proj.weight[rows] = read
        first.o_proj.weight[:, rows] = places[-1].T * scale * 2.0
    copied = _orthonormal(width, generator)
    for head, (query, key) in enumerate(_FINDERS[:heads]):
        rows = slice(head * d, (head + 1) * d)
        for projection, place in ((second.q_proj, places[query]), (second.k_proj, places[key])):
            projection.weight[rows] = 0.0
            projection.bias[rows] = 0.0
            projection.weight[torch.arange(head * d, (head + 1) * d)[content]] = place[content] * _MATCH
        second.v_proj.weight[rows] = copied[rows]
        second.o_proj.weight[:, rows] = copied[rows].T * scale * _COPY


def _look_back(attention: Any, rows: slice, theta: torch.Tensor, distance: int) -> None:
    """Make a head attend `distance` tokens back whatever the tokens are: its scores are biases."""
    half = len(theta)
    fast = (theta > 0.05).float() * _SHARPNESS**0.5 * 2.0
    for projection in (attention.q_proj, attention.k_proj):
        projection.weight[rows] = 0.0
    attention.k_proj.bias[rows] = torch.cat([fast, torch.zeros(half)])
    angle = -theta * distance
    attention.q_proj.bias[rows] = torch.cat([fast * angle.cos(), fast * angle.sin()])


def _orthonormal(width: int, generator: torch.Generator) -> torch.Tensor:
    basis: torch.Tensor = torch.linalg.qr(torch.randn(width, width, generator=generator))[0]
    return basis
