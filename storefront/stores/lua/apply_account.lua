-- Change or remove an account.
-- KEYS[1] account   KEYS[2] accounts   KEYS[3] agenda   KEYS[4] gone
-- ARGV[1] worker's epoch   ARGV[2] offset   ARGV[3] name   ARGV[4] account id
-- ARGV[5] "withdrawn", "deleted", or a role and whether the account has it from now on: "merchant 1", "operator 0"
-- Returns "applied", "ignored", "already", "missing" or "another_epoch".
local no = guard(KEYS[2], ARGV[1], ARGV[2])
if no then return no end

local account = redis.call('HMGET', KEYS[1], 'id', 'state')
local mine, active = account[1] == ARGV[4], account[2] == 'active'
local word = 'ignored'
if ARGV[5] == 'withdrawn' then
  if not (mine and active) then
    redis.call('HSET', KEYS[4], ARGV[4], 'withdrawn ' .. ARGV[3])
    if mine then
      redis.call('DEL', KEYS[1])
      redis.call('ZREM', KEYS[3], ARGV[3])
    end
    word = 'applied'
  end
elseif mine and active then
  if ARGV[5] == 'deleted' then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[4], ARGV[4], 'deleted ' .. ARGV[3])
  else
    redis.call('HSET', KEYS[1], string.match(ARGV[5], '^(%a+) (%d)$'))
  end
  word = 'applied'
end
applied(KEYS[2], ARGV[2])
return word
