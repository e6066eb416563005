-- A partition is applied from one offset up to another. Written after the effects, so it can only lag behind them.
-- KEYS[1] position
-- ARGV[1] worker's epoch   ARGV[2] from   ARGV[3] to   ARGV[4] epoch signed in the ledger   ARGV[5] id of the last record
-- ARGV[6] number of the last mending
-- Returns "advanced", "ahead" (another worker was faster), "behind" (what was applied before is lost) or "another_epoch".
if epoch_in_force() ~= ARGV[1] then return 'another_epoch' end
local offset = tonumber(redis.call('HGET', KEYS[1], 'offset') or 0)
if offset < tonumber(ARGV[2]) then return 'behind' end
if offset >= tonumber(ARGV[3]) then return 'ahead' end
redis.call('HSET', KEYS[1], 'offset', ARGV[3], 'signed', ARGV[4], 'record', ARGV[5], 'mended', ARGV[6])
return 'advanced'
