"""Lua for behaviour in Redis: it runs as a whole, with nothing in between.

A user has a sorted set by time, whose members are whole entries, ``id NUL item NUL kind``. Redis
sorts members of equal time by their bytes, as UTF-8 has it by id, and reads the newest of them with
one command. The sorted set alone would count a repeat with another time or item twice, so a hash
says what is known of each id. A stream would keep the order of arrival, and know no repeats.
"""

ADD = r"""
local at, most, milliseconds = 3, tonumber(ARGV[1]), ARGV[2]
for k = 1, #KEYS, 2 do
  local times, known, count = KEYS[k], KEYS[k + 1], tonumber(ARGV[at])
  for i = at + 1, at + 3 * count, 3 do
    local id, time, rest = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local old = redis.call('HGET', known, id)
    local before = old and redis.call('ZSCORE', times, id .. '\0' .. old)
    local then_, now = before and tonumber(before), tonumber(time)
    if not then_ or now < then_ or (now == then_ and rest < old) then
      if before then
        redis.call('ZREM', times, id .. '\0' .. old)
      end
      redis.call('ZADD', times, time, id .. '\0' .. rest)
      redis.call('HSET', known, id, rest)
    end
  end
  for _, member in ipairs(redis.call('ZRANGE', times, 0, -most - 1)) do
    redis.call('ZREM', times, member)
    redis.call('HDEL', known, string.match(member, '^[^%z]+'))
  end
  redis.call('PEXPIRE', times, milliseconds)
  redis.call('PEXPIRE', known, milliseconds)
  at = at + 1 + 3 * count
end
"""
"""Keys: the sorted set and the hash of each user. Arguments: how many entries a user may have, time
to live in milliseconds, and for each user how many entries come, each as id, time and the rest."""

NEWEST = r"""
local found = {}
for k = 1, #KEYS do
  local both = redis.call('ZRANGE', KEYS[k], -tonumber(ARGV[1]), -1, 'WITHSCORES')
  local entries = {}
  for i = 1, #both, 2 do
    entries[#entries + 1] = both[i] .. '\0' .. both[i + 1]
  end
  found[k] = table.concat(entries, '\255')
end
return found
"""
"""Keys: the sorted set of each user. Argument: how many entries are wanted of each. One string for
each user, its entries parted by a byte that UTF-8 does not have: to read it takes Python a fraction
of what thousands of short answers take."""
