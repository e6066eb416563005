-- What wrk sends, and what it tells at its end: one line of JSON on stdout, behind "figures ".
--
--   wrk … URL -- METHOD PATH BODIES MODE
--
-- BODIES is a file with a JSON body a line, or "-" for none. MODE says how long:
--   "cycle"  begin anew at its end, until wrk's time is up
--   "count"  the same, and count the statuses; that costs wrk some speed
--   "once"   each line once, and count the statuses. Says "first" and "last" on lines of their own as the first request
--            goes out and the last answer is in; then wrk is to be interrupted
-- For one thread (-t1): what it counts is its own.

local method, path, bodies, mode = 'GET', '/', {}, 'cycle'
local parked = 1e9 -- ms: a connection that has nothing more to send waits for the end
local allowed, sent, answered = 0, 0, 0
local one -- the thread, for done()
statuses = ''
local counted = {}

function setup(thread) one = thread end

local function read_bodies(file)
  if file == '-' then return {''} end
  local lines = {}
  for line in io.lines(file) do lines[#lines + 1] = line end
  return lines
end

local function say(word)
  io.write(word, '\n')
  io.flush()
end

local function count(status)
  counted[status] = (counted[status] or 0) + 1
  local parts = {}
  for code, times in pairs(counted) do parts[#parts + 1] = string.format('"%d":%d', code, times) end
  statuses = table.concat(parts, ',')
end

function init(args)
  method, path, bodies, mode = args[1], args[2], read_bodies(args[3]), args[4]
  local head = string.format('%s %s HTTP/1.1\r\nHost: %s\r\n', method, path, wrk.headers['Host'])
  if method == 'GET' then
    head = head .. 'Accept: text/html,application/json;q=0.9\r\n\r\n'
  else
    head = head .. 'Content-Type: application/json\r\nContent-Length: '
  end
  local total = #bodies
  local checked = false -- wrk calls once before it begins, to look at the request

  function request()
    if not checked then
      checked = true
    else
      sent = sent + 1
      if sent == 1 and mode == 'once' then say('first') end
    end
    if method == 'GET' then return head end
    local body = bodies[(math.max(sent, 1) - 1) % total + 1]
    return head .. #body .. '\r\n\r\n' .. body
  end

  if mode == 'cycle' then return end

  function response(status)
    count(status)
    answered = answered + 1
    if mode == 'once' and answered == total then say('last') end
  end

  if mode == 'count' then return end

  function delay() -- wrk asks before each request
    allowed = allowed + 1
    return allowed <= total and 0 or parked
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    'figures {"requests":%d,"seconds":%.6f,"broken":%d,"late":%d,"refused":%d,"statuses":{%s},' ..
    '"p50":%.3f,"p90":%.3f,"p99":%.3f,"p999":%.3f,"most":%.3f}',
    summary.requests, summary.duration / 1e6, errors.connect + errors.read + errors.write, errors.timeout, errors.status,
    one:get('statuses'),
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3,
    latency:percentile(99.9) / 1e3, latency.max / 1e3))
end
