-- Claim a name for a new account, until its registration stands in the ledger.
-- KEYS[1] account   KEYS[2] accounts   KEYS[3] agenda
-- ARGV[1] name   ARGV[2] account id   ARGV[3] ms until the sweep doubts the claim
-- ARGV[4] ms that the account is on probation, 0 for none   ARGV[5…] field, value, …
-- Returns {word, at (ms), epoch}: "claimed", "name_taken" or "recovering".
local epoch = epoch_in_force()
if redis.call('HGET', KEYS[2], 'signed') ~= epoch then return {'recovering'} end
local account = redis.call('HMGET', KEYS[1], 'id', 'at', 'epoch')
if account[1] == ARGV[2] then return {'claimed', account[2], account[3]} end
if account[1] then return {'name_taken'} end
local now = now_ms()
redis.call('HSET', KEYS[1], 'id', ARGV[2], 'state', 'claimed', 'at', now, 'epoch', epoch, unpack(ARGV, 5))
if tonumber(ARGV[4]) > 0 then redis.call('HSET', KEYS[1], 'probation', now + ARGV[4]) end
redis.call('ZADD', KEYS[3], now + ARGV[3], ARGV[1])
return {'claimed', string.format('%.0f', now), epoch}
