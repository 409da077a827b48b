"""Training: configuration, batches, the loop, running centroids, optimizers, validation, runs, export."""
