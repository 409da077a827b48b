"""A site without a server: the page as a static folder, which samples in the visitor's own browser."""
