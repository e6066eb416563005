-- Note that a shopper enters a draw, until the ledger's record of it was applied. Whether they may was asked by reserve.lua.
-- KEYS[1] sale   KEYS[2] waitlist   KEYS[3] entering
-- ARGV[1] shopper   ARGV[2] shopper and name, as entering has them   ARGV[3] ms until the sweep sends the record again
-- Returns {"noted", at, seed, when the draw closes}, also if they entered before, while units are handed out; or
-- {"recovering"}, or {"over"} where nobody enters any more. Moments in Unix ms.
local sale = redis.call('HMGET', KEYS[1], 'signed', 'begins', 'draw', 'seed', 'paused', 'called_off')
local now = now_ms()
if sale[1] ~= epoch_in_force() then return {'recovering'} end
local closes = (sale[2] + (sale[3] or 0)) * 1000
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) and not redis.call('ZSCORE', KEYS[3], ARGV[2]) then
  if now >= closes or sale[5] == '1' or sale[6] == '1' then return {'over'} end
  redis.call('ZADD', KEYS[3], now + ARGV[3], ARGV[2])
end
return {'noted', string.format('%.0f', now), sale[4], string.format('%.0f', closes)}
