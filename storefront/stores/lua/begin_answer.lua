-- May a request under an idempotency key be carried out now?
-- KEYS[1] the shopper's answers   ARGV[1] key   ARGV[2] fingerprint of the request   ARGV[3] mark of this attempt
-- ARGV[4] ms for which it counts as being carried out   ARGV[5] ms that answers are kept   ARGV[6] how many at most
-- Returns {word, …}: "begun", "in_flight", "reused" (the key came with another request) or "answered", status, body.
-- A value is: fingerprint, begun (ms), until (ms), mark, status (0 while it is being carried out), body.
local VALUE = '^(%x+) (%d+) (%d+) (%x+) (%d+) (.*)$'
local now = now_ms()
local fingerprint, _, ends, _, status, body = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', VALUE)
if fingerprint and now < tonumber(ends) then
  if fingerprint ~= ARGV[2] then return {'reused'} end
  if status == '0' then return {'in_flight'} end
  return {'answered', status, body}
end

if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then -- make room: what is over goes, or else the oldest
  local answers, oldest, oldest_begun = redis.call('HGETALL', KEYS[1]), nil, nil
  for place = 1, #answers, 2 do
    local _, begun, over = string.match(answers[place + 1], VALUE)
    if now >= tonumber(over) then
      redis.call('HDEL', KEYS[1], answers[place])
      oldest_begun = -1
    elseif not oldest_begun or tonumber(begun) < oldest_begun then
      oldest, oldest_begun = answers[place], tonumber(begun)
    end
  end
  if oldest_begun ~= -1 then redis.call('HDEL', KEYS[1], oldest) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %.0f %.0f %s 0 ', ARGV[2], now, now + ARGV[4], ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {'begun'}
