-- Claims of names that are in doubt. They are marked "withdrawing", so that confirm_account can no longer say yes.
-- KEYS[1] agenda   ARGV[1] what account keys begin with   ARGV[2] how many at most   ARGV[3] ms until the next look
-- Returns name, account id, name, account id, …
local now = now_ms()
local doubtful = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])) do
  local key = ARGV[1] .. name
  local account = redis.call('HMGET', key, 'id', 'state')
  if account[2] == 'claimed' or account[2] == 'withdrawing' then
    redis.call('HSET', key, 'state', 'withdrawing')
    redis.call('ZADD', KEYS[1], now + ARGV[3], name)
    doubtful[#doubtful + 1] = name
    doubtful[#doubtful + 1] = account[1]
  else
    redis.call('ZREM', KEYS[1], name)
  end
end
return doubtful
