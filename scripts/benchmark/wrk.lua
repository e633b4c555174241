-- Has wrk print its results as one line of exact numbers, for load.py to read.
--
-- Only done() is defined here.  A script without request() and response() costs wrk nothing per
-- request: it sends the same bytes again and again and never enters Lua.

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "duration": %d, "bytes": %d, "connect": %d, "read": %d, '
      .. '"write": %d, "timeout": %d, "status": %d, "p50": %d, "p99": %d}\n',
    summary.requests, summary.duration, summary.bytes,
    errors.connect, errors.read, errors.write, errors.timeout, errors.status,
    latency:percentile(50), latency:percentile(99)))
end
