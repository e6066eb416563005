-- End one login of an account before its time, or all of them.
-- KEYS[1] account   KEYS[2] accounts   KEYS[3] logins that ended, for those who remember tokens
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] account id   ARGV[4] at (ms)   ARGV[5] the new era, empty to end one login
-- ARGV[6] that login   ARGV[7] when it would have run out (ms)   ARGV[8] how many entries KEYS[3] holds, about
-- Returns "applied", "ignored", "already", "missing" or "another_epoch".
local no = guard(KEYS[2], ARGV[1], ARGV[2])
if no then return no end

local account = redis.call('HMGET', KEYS[1], 'id', 'state', 'ended')
local word = 'ignored'
if account[1] == ARGV[3] and account[2] == 'active' then
  local ended = {}
  if ARGV[5] ~= '' then
    redis.call('HSET', KEYS[1], 'era', ARGV[5])
  else
    for login, ends in string.gmatch(account[3] or '', '(%S+) (%d+)') do
      if login ~= ARGV[6] and tonumber(ends) > tonumber(ARGV[4]) then ended[#ended + 1] = login .. ' ' .. ends end
    end
    ended[#ended + 1] = ARGV[6] .. ' ' .. ARGV[7]
  end
  redis.call('HSET', KEYS[1], 'ended', table.concat(ended, ' '))
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], '*', 'account', ARGV[3], 'era', ARGV[5], 'login', ARGV[6], 'until', ARGV[7])
  word = 'applied'
end
applied(KEYS[2], ARGV[2])
return word
