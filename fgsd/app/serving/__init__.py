"""Sampling for many visitors: admission, batching, cancelling, previews and ZeroGPU."""
