"""Training: the loop, running centroids, the optimizer, validation, the run folder and the export."""
