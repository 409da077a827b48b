"""Who samples when: batching, admission, cancelling, previews and ZeroGPU."""
