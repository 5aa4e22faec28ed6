"""Losses of linear scores, their derivative by the scores, and their curvature.

Scores are z [n, R]. Softmax over C classes has R = C. Two classes have one score, their difference: at given
probabilities the weights (-w/2, w/2) cost least under any elastic net, so that nothing is lost and half the work is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class Loss(Protocol):
    """A convex loss of scores z [n, R] at targets [n], weighted by site."""

    def __call__(
        self, z: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weighted sum of the loss, and its derivative by z [n, R]."""

    def each(self, z: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss of each site [n], and whether the likeliest class is right [n] (never, of numbers)."""


class Softmax:
    """Cross entropy of C classes, in nats; targets are int64 indices."""

    def __call__(
        self, z: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Loss`."""
        log = z.log_softmax(1)
        index = target[:, None]
        own = log.gather(1, index)
        total = -(own[:, 0] @ weight)
        slope = log.exp_()
        # What is taken from the own class: 1, in place.
        slope.scatter_add_(1, index, slope.new_full(index.shape, -1.0))
        return total, slope.mul_(weight[:, None])

    def each(self, z: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Loss.each`."""
        return -z.log_softmax(1).gather(1, target[:, None])[:, 0], z.argmax(1) == target


class Logistic:
    """Cross entropy of two classes by the difference of their scores; targets are 0 and 1."""

    def __call__(
        self, z: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Loss`."""
        import torch

        score, wanted = z[:, 0], target.to(z.dtype)
        total = (torch.nn.functional.softplus(score) - wanted * score) @ weight
        return total, ((score.sigmoid() - wanted) * weight)[:, None]

    def each(self, z: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Loss.each`."""
        import torch

        score = z[:, 0]
        return torch.nn.functional.softplus(score) - target.to(z.dtype) * score, (score > 0) == (target > 0)


class Squared:
    """Half the squared distance from a number."""

    def __call__(
        self, z: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Loss`."""
        apart = z[:, 0] - target
        slope = apart * weight
        return 0.5 * (apart @ slope), slope[:, None]

    def each(self, z: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Loss.each`."""
        apart = z[:, 0] - target
        return 0.5 * apart * apart, apart.new_zeros(len(apart)).bool()
