"""Feature-guided score diffusion: sample a class by steering the feature vector of a denoiser."""

from fgsd.centroids import Centroid, CentroidTable, coarse_fine
from fgsd.pipeline import Pipeline

__all__ = ["Centroid", "CentroidTable", "Pipeline", "coarse_fine"]
__version__ = "0.1.0"
