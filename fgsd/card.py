"""Model card of a checkpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fgsd.checkpoint import Checkpoint


def model_card(checkpoint: Checkpoint) -> str:
    """Return the model card in Markdown, with the YAML front matter of the Hugging Face hub."""
    info, network, table = checkpoint.info, checkpoint.network, checkpoint.table
    parameters = sum(p.numel() for p in network.parameters())
    attribution = f"\n{info.attribution}\n" if info.attribution else ""
    has_map = checkpoint.map is not None and len(checkpoint.map.labels)
    map_file = ", `map.safetensors` (where training crops lie in feature space)" if has_map else ""
    student = checkpoint.student
    student_file = ", `student.safetensors` (distilled: samples in two evaluations)" if student else ""
    has_calibration = checkpoint.calibration is not None
    calibration_file = (
        ", `calibration.safetensors` (better centroids of new textures)" if has_calibration else ""
    )
    files = map_file + student_file + calibration_file
    return f"""---
license: {info.license}
library_name: fgsd
tags: [diffusion, textures, feature-guided]
pipeline_tag: unconditional-image-generation
---

# Feature-guided score diffusion, {len(table.classes)} classes

A denoiser of {parameters / 1e6:.2f} million parameters that samples a class by moving the spatial means of
its own channels ({table.dimension} numbers) to the centroid of that class, after Kadkhodaie, Mallat and
Simoncelli, "Feature-guided score diffusion for sampling conditional densities" (2024).

Trained on crops of {info.patch_size} pixels, {info.images:,} of them, in {info.hours:.1f} hours.

```python
from fgsd import Pipeline

pipe = Pipeline.from_pretrained("path/to/this/folder")
pipe.sample({json.dumps(table.classes[0], ensure_ascii=False)}, n=4, seed=0)[0].save("sample.png")
```

Files: `config.json`, `model.safetensors` (weights, float16), `centroids.safetensors` (a feature vector for
each class at each of {len(table.sigmas)} noise levels, and the spread within a class){files}.

License of the weights: {info.license}.
{attribution}
Classes: {", ".join(table.classes)}.
"""
