"""The denoiser, how its features are matched to a target, and what tells it the target."""
