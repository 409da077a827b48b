"""From a request to what the page shows or a visitor saves."""
