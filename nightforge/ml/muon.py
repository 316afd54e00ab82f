"""Muon for small models: momentum, then the nearest (semi-)orthogonal matrix as the update.

https://kellerjordan.github.io/posts/muon. The same rule as torch.optim.Muon, but matrices of one shape are
orthogonalised together: a small model has dozens of them, and one by one the calls cost more than the
arithmetic. N matrices of one shape (R, C).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from nightforge.ml.lean_llama import product_dtype

# Quintic whose iteration pushes all singular values towards 1: steep at 0, flat near 1.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Update matrices only; weights (R, C) move by lr x sqrt(max(1, R / C)) in spectral norm, decoupled
    decay.

    `under`: for a matrix that is added to a frozen one of the same shape, that frozen one. Decay then shrinks
    their sum, which is what the layer multiplies with, as if the layer itself were trained.
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        under: Mapping[torch.Tensor, torch.Tensor] | None = None,
    ) -> None:
        parameters = list(params)
        self._under = dict(under or {})
        if any(parameter.ndim != 2 for parameter in parameters):
            raise ValueError("Muon updates matrices only; give vectors and scalars to another optimizer")
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step for every matrix that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            shapes: dict[Any, list[torch.Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[(*parameter.shape, parameter.device)].append(parameter)
            for parameters in shapes.values():
                self._step_together(parameters, group)

    def _step_together(self, parameters: list[torch.Tensor], group: dict[str, Any]) -> None:
        momentum, lr = group["momentum"], group["lr"]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for parameter in parameters:
            if "momentum" not in self.state[parameter]:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        momenta = [self.state[parameter]["momentum"] for parameter in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - momentum)
        wanted = torch._foreach_lerp(gradients, momenta, momentum)  # Nesterov
        updates = orthogonalize(torch.stack(wanted))  # (N, R, C)
        rows, columns = parameters[0].shape
        scale = lr * max(1.0, rows / columns) ** 0.5
        decay = lr * group["weight_decay"]
        torch._foreach_mul_(parameters, 1 - decay)
        if above := [parameter for parameter in parameters if parameter in self._under]:
            torch._foreach_add_(above, [self._under[parameter] for parameter in above], alpha=-decay)
        torch._foreach_add_(parameters, list(updates.to(parameters[0].dtype).unbind()), alpha=-scale)


def orthogonalize(matrices: torch.Tensor) -> torch.Tensor:
    """Return, for each of (N, R, C), a matrix with the same singular vectors and singular values near 1.

    The products are those of `product_dtype`: the iteration corrects its own rounding.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x: torch.Tensor = matrices.float()
    x = x.mT if tall else x
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(product_dtype(x.device))
    for _ in range(_ITERATIONS):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    x = x.to(matrices.dtype)
    return x.mT if tall else x
