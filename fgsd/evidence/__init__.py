"""Does it sample the conditional density, and better than labels? What `fgsd report` measures and shows."""
