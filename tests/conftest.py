"""What all tests take for granted of the process that runs them."""

import signal

# A shell without job control starts what is in its background with SIGINT ignored, and whoever is
# executed from here would go on ignoring it: Ctrl-C could not be tested.
signal.signal(signal.SIGINT, signal.default_int_handler)
