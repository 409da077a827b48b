"""The HTTP server around Gradio: middleware, error responses, clean-up and shutdown."""
