"""Properties hold however busy the machine is: examples have no deadline."""

from hypothesis import settings


settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
