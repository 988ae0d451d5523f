-- Sends distinct events over HTTP. Each template is a request with two gaps of fixed width: one in the session id (so
-- that four requests share a session, as real ones do), one for the microseconds (so that none is a duplicate).
-- Arguments: the file of templates, the host. A template is a line: body before, between and after the gaps, split by \t.

local templates, count, number = {}, 0, 0

function init(arguments)
  local path, host, route, authorization = arguments[1], arguments[2], arguments[3], arguments[4]
  local second = os.date("!%Y-%m-%dT%H:%M:%S")
  for line in io.lines(path) do
    local before, between, after = line:match("^(.-)\t(.-)\t(.-)$")
    between = between .. second .. "."
    local length = #before + 8 + #between + 6 + #after
    local head = "POST " .. route .. " HTTP/1.1\r\nHost: " .. host .. "\r\nAuthorization: Basic " .. authorization
      .. "\r\nContent-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n"
    count = count + 1
    templates[count] = { head .. before, between, after }
  end
end

function request()
  local template = templates[number % count + 1]
  local text = template[1] .. string.format("%08d", math.floor(number / 4)) .. template[2]
    .. string.format("%06d", number % 1000000) .. template[3]
  number = number + 1
  return text
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "bad_status": %d, "socket_errors": %d, "p50_ms": %f, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
