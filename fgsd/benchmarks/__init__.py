"""How fast the page is, how many visitors it serves, and whether it lasts."""
