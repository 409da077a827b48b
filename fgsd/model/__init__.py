"""The denoising network, feature matching, and the conditioning on a target."""
