"""What all tests take for granted of the process that runs them."""

import signal

from hypothesis import settings

# Properties are about what is true, not about how long this machine took to find out.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")

# A shell without job control starts what is in its background with SIGINT ignored, and whoever is
# executed from here would go on ignoring it: Ctrl-C could not be tested.
signal.signal(signal.SIGINT, signal.default_int_handler)
