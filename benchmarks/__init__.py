"""Measurements of the sampler beside others. They are part of the repository, not the package."""
