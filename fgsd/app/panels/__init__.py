"""The Python half of the page's panels."""
