"""The 8-bit product of the doctor is computed by bitsandbytes and compared with the plain one."""

from __future__ import annotations

import bitsandbytes as bnb
import pytest
import torch

from nightforge.ml.proof import eight_bit_product


def test_the_product_is_near_forward_and_backward_but_not_equal() -> None:
    found = eight_bit_product("cpu")
    assert 0 < found["forward_error"] <= found["limit"]
    assert 0 < found["backward_error"] <= found["limit"]


def test_a_library_that_multiplies_wrongly_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = bnb.nn.Linear8bitLt.forward

    def wrong(layer: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        return right(layer, x) * 1.2

    monkeypatch.setattr(bnb.nn.Linear8bitLt, "forward", wrong)
    found = eight_bit_product("cpu")
    assert found["forward_error"] > found["limit"]
