-- Has the sweep nothing left to do for this sale, for good? Only a record can change that, and the worker says so then.
-- KEYS[1] sale   KEYS[2] agenda   KEYS[3] entering
-- Returns 1 or 0.
local sale = redis.call('HMGET', KEYS[1], 'ends', 'called_off')
if sale[1] and sale[2] ~= '1' and now_ms() < sale[1] * 1000 then return 0 end
return redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[3]) == 0 and 1 or 0
