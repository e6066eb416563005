-- Note that a shopper enters a draw, whom the web has asked everything that reserve.lua asks.
-- KEYS[1] sale   KEYS[2] waitlist   KEYS[3] entering
-- ARGV[1] shopper   ARGV[2] shopper's name   ARGV[3] ms until the sweep sends the record if nobody did
-- Returns what note_entry does, or {"recovering"}.
local sale = redis.call('HMGET', KEYS[1], 'signed', 'begins', 'draw', 'seed')
if sale[1] ~= epoch_in_force() then return {'recovering'} end
return note_entry(KEYS[2], KEYS[3], ARGV[1], ARGV[2], now_ms(), ARGV[3], {sale[2], sale[3], sale[4]})
