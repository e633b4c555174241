"""Properties are about what is true, not about how long this machine took to find out."""

from hypothesis import settings

settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")
