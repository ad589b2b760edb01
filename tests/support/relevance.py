"""Values and gradients by hooks of the tests' own, and what the rules replace."""

import torch

LENGTHS = [9, 2, 5, 12]


def close(one: torch.Tensor, two: torch.Tensor, rtol: float = 1e-5) -> bool:
    """Whether two tensors agree relative to the largest value."""
    return one.shape == two.shape and float((one - two).abs().max() / two.abs().max()) < rtol


class Captured:
    """Values and gradients at a module's input or output, `[B, T, n]`, by hooks of the test's own."""

    def __init__(self, modules, where):
        self.values = [None] * len(modules)
        self.handles = []
        for k, module in enumerate(modules):
            if where == "input":
                hook = module.register_forward_pre_hook(lambda _, args, k=k: self._keep(k, args[0]))
            else:
                hook = module.register_forward_hook(lambda _, args, output, k=k: self._keep(k, output))
            self.handles.append(hook)

    def _keep(self, k, values):
        values.retain_grad()
        self.values[k] = values

    def products(self):
        for handle in self.handles:
            handle.remove()
        return torch.stack(
            [v.detach() * v.grad for v in self.values], -2
        )  # [B, T, K, n], [B * T, K, n] of OPT


def own_attributes(model):
    """Return what the rules may set on a model's modules: a forward pass and a configuration of their own."""
    return [{name: vars(m).get(name) for name in ("forward", "config")} for m in model.modules()]
