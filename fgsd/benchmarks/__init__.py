"""Benchmarks of the page: latency, throughput, endurance; and the film of a drag."""
