-- Posts the bodies of a file in turn and counts answers that are not {"code":1,...}.
-- Environment: BODIES (one a line), ROUTE, WANTED (what a good answer holds, when it is another).
local threads = {}
local wanted = os.getenv("WANTED") or '"code":1,'

function setup(thread)
  thread:set("offset", #threads)
  table.insert(threads, thread)
end

function init(args)
  requests = {}
  local headers = { ["Content-Type"] = "application/json", ["encryption-type"] = "SM4" }
  for line in io.lines(os.getenv("BODIES")) do
    requests[#requests + 1] = wrk.format("POST", os.getenv("ROUTE"), headers, line)
  end
  position = offset * 997
  refused = 0
end

function request()
  position = position + 1
  return requests[position % #requests + 1]
end

function response(status, headers, body)
  if status ~= 200 or not string.find(body, wanted, 1, true) then
    refused = refused + 1
  end
end

function done(summary, latency, requests)
  local refused = 0
  for _, thread in ipairs(threads) do refused = refused + thread:get("refused") end
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%.3f,"p50_ms":%.3f,"p99_ms":%.3f,"refused":%d,"errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    refused, errors.connect + errors.read + errors.write + errors.timeout))
end
