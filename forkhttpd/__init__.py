"""forkhttpd: a small, dependable pre-fork HTTP server for static files and CGI programs."""

__version__ = "0.1.0"
