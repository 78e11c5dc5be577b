// Written by scripts/embedded-table.ts, which asks a Redis 8. Do not edit; table.ts says how a row is read.
export const TABLE_ROWS: string = `
acl|-2|-|@slow|-|-|server|6.0.0|A container for Access List Control commands.
acl|cat|-2|noscript,loading,stale|@slow|-|-|server|6.0.0|Lists the ACL categories, or the commands inside a category.
acl|deluser|-3|admin,noscript,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,response_policy:all_succeeded|-|server|6.0.0|Deletes ACL users, and terminates their connections.
acl|dryrun|-4|admin,noscript,loading,stale|@admin,@slow,@dangerous|-|-|server|7.0.0|Simulates the execution of a command by a user, without executing the command.
acl|genpass|-2|noscript,loading,stale|@slow|-|-|server|6.0.0|Generates a pseudorandom, secure password that can be used to identify ACL users.
acl|getuser|3|admin,noscript,loading,stale|@admin,@slow,@dangerous|-|-|server|6.0.0|Lists the ACL rules of a user.
acl|help|2|loading,stale|@slow|-|-|server|6.0.0|Returns helpful text about the different subcommands.
acl|list|2|admin,noscript,loading,stale|@admin,@slow,@dangerous|-|-|server|6.0.0|Dumps the effective rules in ACL file format.
acl|load|2|admin,noscript,loading,stale|@admin,@slow,@dangerous|-|-|server|6.0.0|Reloads the rules from the configured ACL file.
acl|log|-2|admin,noscript,loading,stale|@admin,@slow,@dangerous|-|-|server|6.0.0|Lists recent security events generated due to ACL rules.
acl|save|2|admin,noscript,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,response_policy:all_succeeded|-|server|6.0.0|Saves the effective ACL rules in the configured ACL file.
acl|setuser|-3|admin,noscript,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,response_policy:all_succeeded|-|server|6.0.0|Creates and modifies an ACL user and its rules.
acl|users|2|admin,noscript,loading,stale|@admin,@slow,@dangerous|-|-|server|6.0.0|Lists all ACL users.
acl|whoami|2|noscript,loading,stale|@slow|-|-|server|6.0.0|Returns the authenticated username of the current connection.
append|3|write,denyoom,fast|@write,@string,@fast|-|RW,insert@1=0:1:0|string|2.0.0|Appends a string to the value of a key. Creates the key if it doesn't exist.
asking|1|fast|@fast,@connection|-|-|cluster|3.0.0|Signals that a cluster client is following an -ASK redirect.
auth|-2|noscript,loading,stale,fast,no_auth,allow_busy|@fast,@connection|-|-|connection|1.0.0|Authenticates the connection.
bgrewriteaof|1|admin,noscript,no_async_loading|@admin,@slow,@dangerous|-|-|server|1.0.0|Asynchronously rewrites the append-only file to disk.
bgsave|-1|admin,noscript,no_async_loading|@admin,@slow,@dangerous|-|-|server|1.0.0|Asynchronously saves the database(s) to disk.
bitcount|-2|readonly|@read,@bitmap,@slow|-|RO,access@1=0:1:0|bitmap|2.6.0|Counts the number of set bits (population counting) in a string.
bitfield_ro|-2|readonly,fast|@read,@bitmap,@fast|-|RO,access@1=0:1:0|bitmap|6.0.0|Performs arbitrary read-only bitfield integer operations on strings.
bitfield|-2|write,denyoom|@write,@bitmap,@slow|-|RW,access,update,variable_flags@1=0:1:0|bitmap|3.2.0|Performs arbitrary bitfield integer operations on strings.
bitop|-4|write,denyoom|@write,@bitmap,@slow|-|OW,update@2=0:1:0 RO,access@3=-1:1:0|bitmap|2.6.0|Performs bitwise operations on multiple strings, and stores the result.
bitpos|-3|readonly|@read,@bitmap,@slow|-|RO,access@1=0:1:0|bitmap|2.8.7|Finds the first set (1) or clear (0) bit in a string.
blmove|6|write,denyoom,blocking|@write,@list,@slow,@blocking|-|RW,access,delete@1=0:1:0 RW,insert@2=0:1:0|list|6.2.0|Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available otherwise. Deletes the list if the last element was moved.
blmpop|-5|write,blocking,movablekeys|@write,@list,@slow,@blocking|-|RW,access,delete@2#0:1:1|list|7.0.0|Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the list if the last element was popped.
blpop|-3|write,blocking|@write,@list,@slow,@blocking|-|RW,access,delete@1=-2:1:0|list|2.0.0|Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.
brpoplpush|4|write,denyoom,blocking|@write,@list,@slow,@blocking|-|RW,access,delete@1=0:1:0 RW,insert@2=0:1:0|list|2.2.0|Pops an element from a list, pushes it to another list and returns it. Block until an element is available otherwise. Deletes the list if the last element was popped.
brpop|-3|write,blocking|@write,@list,@slow,@blocking|-|RW,access,delete@1=-2:1:0|list|2.0.0|Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.
bzmpop|-5|write,blocking,movablekeys|@write,@sortedset,@slow,@blocking|-|RW,access,delete@2#0:1:1|sorted-set|7.0.0|Removes and returns a member by score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.
bzpopmax|-3|write,blocking,fast|@write,@sortedset,@fast,@blocking|-|RW,access,delete@1=-2:1:0|sorted-set|5.0.0|Removes and returns the member with the highest score from one or more sorted sets. Blocks until a member available otherwise.  Deletes the sorted set if the last element was popped.
bzpopmin|-3|write,blocking,fast|@write,@sortedset,@fast,@blocking|-|RW,access,delete@1=-2:1:0|sorted-set|5.0.0|Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.
client|-2|-|@slow|-|-|connection|2.4.0|A container for client connection commands.
client|caching|3|noscript,loading,stale|@slow,@connection|-|-|connection|6.0.0|Instructs the server whether to track the keys in the next request.
client|getname|2|noscript,loading,stale|@slow,@connection|-|-|connection|2.6.9|Returns the name of the connection.
client|getredir|2|noscript,loading,stale|@slow,@connection|-|-|connection|6.0.0|Returns the client ID to which the connection's tracking notifications are redirected.
client|help|2|loading,stale|@slow,@connection|-|-|connection|5.0.0|Returns helpful text about the different subcommands.
client|id|2|noscript,loading,stale|@slow,@connection|-|-|connection|5.0.0|Returns the unique client ID of the connection.
client|info|2|noscript,loading,stale|@slow,@connection|nondeterministic_output|-|connection|6.2.0|Returns information about the connection.
client|kill|-3|admin,noscript,loading,stale|@admin,@slow,@dangerous,@connection|-|-|connection|2.4.0|Terminates open connections.
client|list|-2|admin,noscript,loading,stale|@admin,@slow,@dangerous,@connection|nondeterministic_output|-|connection|2.4.0|Lists open connections.
client|no-evict|3|admin,noscript,loading,stale|@admin,@slow,@dangerous,@connection|-|-|connection|7.0.0|Sets the client eviction mode of the connection.
client|no-touch|3|noscript,loading,stale|@slow,@connection|-|-|connection|7.2.0|Controls whether commands sent by the client affect the LRU/LFU of accessed keys.
client|pause|-3|admin,noscript,loading,stale|@admin,@slow,@dangerous,@connection|-|-|connection|3.0.0|Suspends commands processing.
client|reply|3|noscript,loading,stale|@slow,@connection|-|-|connection|3.2.0|Instructs the server whether to reply to commands.
client|setinfo|4|noscript,loading,stale|@slow,@connection|request_policy:all_nodes,response_policy:all_succeeded|-|connection|7.2.0|Sets information specific to the client or connection.
client|setname|3|noscript,loading,stale|@slow,@connection|request_policy:all_nodes,response_policy:all_succeeded|-|connection|2.6.9|Sets the connection name.
client|trackinginfo|2|noscript,loading,stale|@slow,@connection|-|-|connection|6.2.0|Returns information about server-assisted client-side caching for the connection.
client|tracking|-3|noscript,loading,stale|@slow,@connection|-|-|connection|6.0.0|Controls server-assisted client-side caching for the connection.
client|unblock|-3|admin,noscript,loading,stale|@admin,@slow,@dangerous,@connection|-|-|connection|5.0.0|Unblocks a client blocked by a blocking command from a different connection.
client|unpause|2|admin,noscript,loading,stale|@admin,@slow,@dangerous,@connection|-|-|connection|6.2.0|Resumes processing commands from paused clients.
cluster|-2|-|@slow|-|-|cluster|3.0.0|A container for Redis Cluster commands.
cluster|addslotsrange|-4|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|7.0.0|Assigns new hash slot ranges to a node.
cluster|addslots|-3|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Assigns new hash slots to a node.
cluster|bumpepoch|2|admin,stale,no_async_loading|@admin,@slow,@dangerous|nondeterministic_output|-|cluster|3.0.0|Advances the cluster config epoch.
cluster|count-failure-reports|3|admin,stale|@admin,@slow,@dangerous|nondeterministic_output|-|cluster|3.0.0|Returns the number of active failure reports active for a node.
cluster|countkeysinslot|3|stale|@slow|-|-|cluster|3.0.0|Returns the number of keys in a hash slot.
cluster|delslotsrange|-4|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|7.0.0|Sets hash slot ranges as unbound for a node.
cluster|delslots|-3|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Sets hash slots as unbound for a node.
cluster|failover|-2|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Forces a replica to perform a manual failover of its master.
cluster|flushslots|2|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Deletes all slots information from a node.
cluster|forget|3|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Removes a node from the nodes table.
cluster|getkeysinslot|4|stale|@slow|nondeterministic_output|-|cluster|3.0.0|Returns the key names in a hash slot.
cluster|help|2|loading,stale|@slow|-|-|cluster|5.0.0|Returns helpful text about the different subcommands.
cluster|info|2|stale|@slow|nondeterministic_output|-|cluster|3.0.0|Returns information about the state of a node.
cluster|keyslot|3|stale|@slow|-|-|cluster|3.0.0|Returns the hash slot for a key.
cluster|links|2|stale|@slow|nondeterministic_output|-|cluster|7.0.0|Returns a list of all TCP links to and from peer nodes.
cluster|meet|-4|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Forces a node to handshake with another node.
cluster|myid|2|stale|@slow|-|-|cluster|3.0.0|Returns the ID of a node.
cluster|myshardid|2|stale|@slow|nondeterministic_output|-|cluster|7.2.0|Returns the shard ID of a node.
cluster|nodes|2|stale|@slow|nondeterministic_output|-|cluster|3.0.0|Returns the cluster configuration for a node.
cluster|replicas|3|admin,stale|@admin,@slow,@dangerous|nondeterministic_output|-|cluster|5.0.0|Lists the replica nodes of a master node.
cluster|replicate|3|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Configure a node as replica of a master node.
cluster|reset|-2|admin,noscript,stale|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Resets a node.
cluster|saveconfig|2|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Forces a node to save the cluster configuration to disk.
cluster|set-config-epoch|3|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Sets the configuration epoch for a new node.
cluster|setslot|-4|admin,stale,no_async_loading|@admin,@slow,@dangerous|-|-|cluster|3.0.0|Binds a hash slot to a node.
cluster|shards|2|loading,stale|@slow|nondeterministic_output|-|cluster|7.0.0|Returns the mapping of cluster slots to shards.
cluster|slaves|3|admin,stale|@admin,@slow,@dangerous|nondeterministic_output|-|cluster|3.0.0|Lists the replica nodes of a master node.
cluster|slots|2|loading,stale|@slow|nondeterministic_output|-|cluster|3.0.0|Returns the mapping of cluster slots to nodes.
command|-1|loading,stale|@slow,@connection|nondeterministic_output_order|-|server|2.8.13|Returns detailed information about all commands.
command|count|2|loading,stale|@slow,@connection|-|-|server|2.8.13|Returns a count of commands.
command|docs|-2|loading,stale|@slow,@connection|nondeterministic_output_order|-|server|7.0.0|Returns documentary information about one, multiple or all commands.
command|getkeysandflags|-3|loading,stale|@slow,@connection|-|-|server|7.0.0|Extracts the key names and access flags for an arbitrary command.
command|getkeys|-3|loading,stale|@slow,@connection|-|-|server|2.8.13|Extracts the key names from an arbitrary command.
command|help|2|loading,stale|@slow,@connection|-|-|server|5.0.0|Returns helpful text about the different subcommands.
command|info|-2|loading,stale|@slow,@connection|nondeterministic_output_order|-|server|2.8.13|Returns information about one, multiple or all commands.
command|list|-2|loading,stale|@slow,@connection|nondeterministic_output_order|-|server|7.0.0|Returns a list of command names.
config|-2|-|@slow|-|-|server|2.0.0|A container for server configuration commands.
config|get|-3|admin,noscript,loading,stale|@admin,@slow,@dangerous|-|-|server|2.0.0|Returns the effective values of configuration parameters.
config|help|2|loading,stale|@slow|-|-|server|5.0.0|Returns helpful text about the different subcommands.
config|resetstat|2|admin,noscript,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,response_policy:all_succeeded|-|server|2.0.0|Resets the server's statistics.
config|rewrite|2|admin,noscript,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,response_policy:all_succeeded|-|server|2.8.0|Persists the effective configuration to file.
config|set|-4|admin,noscript,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,response_policy:all_succeeded|-|server|2.0.0|Sets configuration parameters in-flight.
copy|-3|write,denyoom|@keyspace,@write,@slow|-|RO,access@1=0:1:0 OW,update@2=0:1:0|generic|6.2.0|Copies the value of a key to a new key.
dbsize|1|readonly,fast|@keyspace,@read,@fast|request_policy:all_shards,response_policy:agg_sum|-|server|1.0.0|Returns the number of keys in the database.
debug|-2|admin,noscript,loading,stale|@admin,@slow,@dangerous|-|-|server|1.0.0|A container for debugging commands.
decrby|3|write,denyoom,fast|@write,@string,@fast|-|RW,access,update@1=0:1:0|string|1.0.0|Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.
decr|2|write,denyoom,fast|@write,@string,@fast|-|RW,access,update@1=0:1:0|string|1.0.0|Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.
del|-2|write|@keyspace,@write,@slow|request_policy:multi_shard,response_policy:agg_sum|RM,delete@1=-1:1:0|generic|1.0.0|Deletes one or more keys.
discard|1|noscript,loading,stale,fast,allow_busy|@fast,@transaction|-|-|transactions|2.0.0|Discards a transaction.
dump|2|readonly|@keyspace,@read,@slow|nondeterministic_output|RO,access@1=0:1:0|generic|2.6.0|Returns a serialized representation of the value stored at a key.
echo|2|loading,stale,fast|@fast,@connection|-|-|connection|1.0.0|Returns the given string.
eval_ro|-3|readonly,noscript,stale,skip_monitor,no_mandatory_keys,movablekeys|@slow,@scripting|-|RO,access@2#0:1:1|scripting|7.0.0|Executes a read-only server-side Lua script.
evalsha_ro|-3|readonly,noscript,stale,skip_monitor,no_mandatory_keys,movablekeys|@slow,@scripting|-|RO,access@2#0:1:1|scripting|7.0.0|Executes a read-only server-side Lua script by SHA1 digest.
evalsha|-3|noscript,stale,skip_monitor,no_mandatory_keys,movablekeys|@slow,@scripting|-|RW,access,update@2#0:1:1|scripting|2.6.0|Executes a server-side Lua script by SHA1 digest.
eval|-3|noscript,stale,skip_monitor,no_mandatory_keys,movablekeys|@slow,@scripting|-|RW,access,update@2#0:1:1|scripting|2.6.0|Executes a server-side Lua script.
exec|1|noscript,loading,stale,skip_slowlog|@slow,@transaction|-|-|transactions|1.2.0|Executes all commands in a transaction.
exists|-2|readonly,fast|@keyspace,@read,@fast|request_policy:multi_shard,response_policy:agg_sum|RO@1=-1:1:0|generic|1.0.0|Determines whether one or more keys exist.
expireat|-3|write,fast|@keyspace,@write,@fast|-|RW,update@1=0:1:0|generic|1.2.0|Sets the expiration time of a key to a Unix timestamp.
expiretime|2|readonly,fast|@keyspace,@read,@fast|-|RO,access@1=0:1:0|generic|7.0.0|Returns the expiration time of a key as a Unix timestamp.
expire|-3|write,fast|@keyspace,@write,@fast|-|RW,update@1=0:1:0|generic|1.0.0|Sets the expiration time of a key in seconds.
failover|-1|admin,noscript,stale|@admin,@slow,@dangerous|-|-|server|6.2.0|Starts a coordinated failover from a server to one of its replicas.
fcall_ro|-3|readonly,noscript,stale,skip_monitor,no_mandatory_keys,movablekeys|@slow,@scripting|-|RO,access@2#0:1:1|scripting|7.0.0|Invokes a read-only function.
fcall|-3|noscript,stale,skip_monitor,no_mandatory_keys,movablekeys|@slow,@scripting|-|RW,access,update@2#0:1:1|scripting|7.0.0|Invokes a function.
flushall|-1|write|@keyspace,@write,@slow,@dangerous|request_policy:all_shards,response_policy:all_succeeded|-|server|1.0.0|Removes all keys from all databases.
flushdb|-1|write|@keyspace,@write,@slow,@dangerous|request_policy:all_shards,response_policy:all_succeeded|-|server|1.0.0|Remove all keys from the current database.
function|-2|-|@slow|-|-|scripting|7.0.0|A container for function commands.
function|delete|3|write,noscript|@write,@slow,@scripting|request_policy:all_shards,response_policy:all_succeeded|-|scripting|7.0.0|Deletes a library and its functions.
function|dump|2|noscript|@slow,@scripting|-|-|scripting|7.0.0|Dumps all libraries into a serialized binary payload.
function|flush|-2|write,noscript|@write,@slow,@scripting|request_policy:all_shards,response_policy:all_succeeded|-|scripting|7.0.0|Deletes all libraries and functions.
function|help|2|loading,stale|@slow,@scripting|-|-|scripting|7.0.0|Returns helpful text about the different subcommands.
function|kill|2|noscript,allow_busy|@slow,@scripting|request_policy:all_shards,response_policy:one_succeeded|-|scripting|7.0.0|Terminates a function during execution.
function|list|-2|noscript|@slow,@scripting|nondeterministic_output_order|-|scripting|7.0.0|Returns information about all libraries.
function|load|-3|write,denyoom,noscript|@write,@slow,@scripting|request_policy:all_shards,response_policy:all_succeeded|-|scripting|7.0.0|Creates a library.
function|restore|-3|write,denyoom,noscript|@write,@slow,@scripting|request_policy:all_shards,response_policy:all_succeeded|-|scripting|7.0.0|Restores all libraries from a payload.
function|stats|2|noscript,allow_busy|@slow,@scripting|nondeterministic_output,request_policy:all_shards,response_policy:special|-|scripting|7.0.0|Returns information about a function during execution.
geoadd|-5|write,denyoom|@write,@geo,@slow|-|RW,update@1=0:1:0|geo|3.2.0|Adds one or more members to a geospatial index. The key is created if it doesn't exist.
geodist|-4|readonly|@read,@geo,@slow|-|RO,access@1=0:1:0|geo|3.2.0|Returns the distance between two members of a geospatial index.
geohash|-2|readonly|@read,@geo,@slow|-|RO,access@1=0:1:0|geo|3.2.0|Returns members from a geospatial index as geohash strings.
geopos|-2|readonly|@read,@geo,@slow|-|RO,access@1=0:1:0|geo|3.2.0|Returns the longitude and latitude of members from a geospatial index.
georadius_ro|-6|readonly|@read,@geo,@slow|-|RO,access@1=0:1:0|geo|3.2.10|Returns members from a geospatial index that are within a distance from a coordinate.
georadiusbymember_ro|-5|readonly|@read,@geo,@slow|-|RO,access@1=0:1:0|geo|3.2.10|Returns members from a geospatial index that are within a distance from a member.
georadiusbymember|-5|write,denyoom,movablekeys|@write,@geo,@slow|-|RO,access@1=0:1:0 OW,update@STORE/5=0:1:0 OW,update@STOREDIST/5=0:1:0|geo|3.2.0|Queries a geospatial index for members within a distance from a member, optionally stores the result.
georadius|-6|write,denyoom,movablekeys|@write,@geo,@slow|-|RO,access@1=0:1:0 OW,update@STORE/6=0:1:0 OW,update@STOREDIST/6=0:1:0|geo|3.2.0|Queries a geospatial index for members within a distance from a coordinate, optionally stores the result.
geosearchstore|-8|write,denyoom|@write,@geo,@slow|-|OW,update@1=0:1:0 RO,access@2=0:1:0|geo|6.2.0|Queries a geospatial index for members inside an area of a box or a circle, optionally stores the result.
geosearch|-7|readonly|@read,@geo,@slow|-|RO,access@1=0:1:0|geo|6.2.0|Queries a geospatial index for members inside an area of a box or a circle.
getbit|3|readonly,fast|@read,@bitmap,@fast|-|RO,access@1=0:1:0|bitmap|2.2.0|Returns a bit value by offset.
getdel|2|write,fast|@write,@string,@fast|-|RW,access,delete@1=0:1:0|string|6.2.0|Returns the string value of a key after deleting the key.
getex|-2|write,fast|@write,@string,@fast|-|RW,access,update@1=0:1:0|string|6.2.0|Returns the string value of a key after setting its expiration time.
getrange|4|readonly|@read,@string,@slow|-|RO,access@1=0:1:0|string|2.4.0|Returns a substring of the string stored at a key.
getset|3|write,denyoom,fast|@write,@string,@fast|-|RW,access,update@1=0:1:0|string|1.0.0|Returns the previous string value of a key after setting it to a new value.
get|2|readonly,fast|@read,@string,@fast|-|RO,access@1=0:1:0|string|1.0.0|Returns the string value of a key.
hdel|-3|write,fast|@write,@hash,@fast|-|RW,delete@1=0:1:0|hash|2.0.0|Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.
hello|-1|noscript,loading,stale,fast,no_auth,allow_busy|@fast,@connection|-|-|connection|6.0.0|Handshakes with the Redis server.
hexists|3|readonly,fast|@read,@hash,@fast|-|RO@1=0:1:0|hash|2.0.0|Determines whether a field exists in a hash.
hexpireat|-6|write,fast|@write,@hash,@fast|-|RW,update@1=0:1:0|hash|7.4.0|Set expiry for hash field using an absolute Unix timestamp (seconds)
hexpiretime|-5|readonly,fast|@read,@hash,@fast|-|RO,access@1=0:1:0|hash|7.4.0|Returns the expiration time of a hash field as a Unix timestamp, in seconds.
hexpire|-6|write,fast|@write,@hash,@fast|-|RW,update@1=0:1:0|hash|7.4.0|Set expiry for hash field using relative time to expire (seconds)
hgetall|2|readonly|@read,@hash,@slow|nondeterministic_output_order|RO,access@1=0:1:0|hash|2.0.0|Returns all fields and values in a hash.
hgetdel|-5|write,fast|@write,@hash,@fast|-|RW,access,delete@1=0:1:0|hash|8.0.0|Returns the value of a field and deletes it from the hash.
hgetex|-5|write,fast|@write,@hash,@fast|-|RW,access,update@1=0:1:0|hash|8.0.0|Get the value of one or more fields of a given hash key, and optionally set their expiration.
hget|3|readonly,fast|@read,@hash,@fast|-|RO,access@1=0:1:0|hash|2.0.0|Returns the value of a field in a hash.
hincrbyfloat|4|write,denyoom,fast|@write,@hash,@fast|-|RW,access,update@1=0:1:0|hash|2.6.0|Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't exist.
hincrby|4|write,denyoom,fast|@write,@hash,@fast|-|RW,access,update@1=0:1:0|hash|2.0.0|Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field doesn't exist.
hkeys|2|readonly|@read,@hash,@slow|nondeterministic_output_order|RO,access@1=0:1:0|hash|2.0.0|Returns all fields in a hash.
hlen|2|readonly,fast|@read,@hash,@fast|-|RO@1=0:1:0|hash|2.0.0|Returns the number of fields in a hash.
hmget|-3|readonly,fast|@read,@hash,@fast|-|RO,access@1=0:1:0|hash|2.0.0|Returns the values of all fields in a hash.
hmset|-4|write,denyoom,fast|@write,@hash,@fast|-|RW,update@1=0:1:0|hash|2.0.0|Sets the values of multiple fields.
hpersist|-5|write,fast|@write,@hash,@fast|-|RW,update@1=0:1:0|hash|7.4.0|Removes the expiration time for each specified field
hpexpireat|-6|write,fast|@write,@hash,@fast|-|RW,update@1=0:1:0|hash|7.4.0|Set expiry for hash field using an absolute Unix timestamp (milliseconds)
hpexpiretime|-5|readonly,fast|@read,@hash,@fast|-|RO,access@1=0:1:0|hash|7.4.0|Returns the expiration time of a hash field as a Unix timestamp, in msec.
hpexpire|-6|write,fast|@write,@hash,@fast|-|RW,update@1=0:1:0|hash|7.4.0|Set expiry for hash field using relative time to expire (milliseconds)
hpttl|-5|readonly,fast|@read,@hash,@fast|nondeterministic_output|RO,access@1=0:1:0|hash|7.4.0|Returns the TTL in milliseconds of a hash field.
hrandfield|-2|readonly|@read,@hash,@slow|nondeterministic_output|RO,access@1=0:1:0|hash|6.2.0|Returns one or more random fields from a hash.
hscan|-3|readonly|@read,@hash,@slow|nondeterministic_output|RO,access@1=0:1:0|hash|2.8.0|Iterates over fields and values of a hash.
hsetex|-6|write,denyoom,fast|@write,@hash,@fast|-|RW,update@1=0:1:0|hash|8.0.0|Set the value of one or more fields of a given hash key, and optionally set their expiration.
hsetnx|4|write,denyoom,fast|@write,@hash,@fast|-|RW,insert@1=0:1:0|hash|2.0.0|Sets the value of a field in a hash only when the field doesn't exist.
hset|-4|write,denyoom,fast|@write,@hash,@fast|-|RW,update@1=0:1:0|hash|2.0.0|Creates or modifies the value of a field in a hash.
hstrlen|3|readonly,fast|@read,@hash,@fast|-|RO@1=0:1:0|hash|3.2.0|Returns the length of the value of a field.
httl|-5|readonly,fast|@read,@hash,@fast|nondeterministic_output|RO,access@1=0:1:0|hash|7.4.0|Returns the TTL in seconds of a hash field.
hvals|2|readonly|@read,@hash,@slow|nondeterministic_output_order|RO,access@1=0:1:0|hash|2.0.0|Returns all values in a hash.
incrbyfloat|3|write,denyoom,fast|@write,@string,@fast|-|RW,access,update@1=0:1:0|string|2.6.0|Increment the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.
incrby|3|write,denyoom,fast|@write,@string,@fast|-|RW,access,update@1=0:1:0|string|1.0.0|Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.
incr|2|write,denyoom,fast|@write,@string,@fast|-|RW,access,update@1=0:1:0|string|1.0.0|Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.
info|-1|loading,stale|@slow,@dangerous|nondeterministic_output,request_policy:all_shards,response_policy:special|-|server|1.0.0|Returns information and statistics about the server.
keys|2|readonly|@keyspace,@read,@slow,@dangerous|request_policy:all_shards,nondeterministic_output_order|-|generic|1.0.0|Returns all key names that match a pattern.
lastsave|1|loading,stale,fast|@admin,@fast,@dangerous|nondeterministic_output|-|server|1.0.0|Returns the Unix timestamp of the last successful save to disk.
latency|-2|-|@slow|-|-|server|2.8.13|A container for latency diagnostics commands.
latency|doctor|2|admin,noscript,loading,stale|@admin,@slow,@dangerous|nondeterministic_output,request_policy:all_nodes,response_policy:special|-|server|2.8.13|Returns a human-readable latency analysis report.
latency|graph|3|admin,noscript,loading,stale|@admin,@slow,@dangerous|nondeterministic_output,request_policy:all_nodes,response_policy:special|-|server|2.8.13|Returns a latency graph for an event.
latency|help|2|loading,stale|@slow|-|-|server|2.8.13|Returns helpful text about the different subcommands.
latency|histogram|-2|admin,noscript,loading,stale|@admin,@slow,@dangerous|nondeterministic_output,request_policy:all_nodes,response_policy:special|-|server|7.0.0|Returns the cumulative distribution of latencies of a subset or all commands.
latency|history|3|admin,noscript,loading,stale|@admin,@slow,@dangerous|nondeterministic_output,request_policy:all_nodes,response_policy:special|-|server|2.8.13|Returns timestamp-latency samples for an event.
latency|latest|2|admin,noscript,loading,stale|@admin,@slow,@dangerous|nondeterministic_output,request_policy:all_nodes,response_policy:special|-|server|2.8.13|Returns the latest latency samples for all events.
latency|reset|-2|admin,noscript,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,response_policy:agg_sum|-|server|2.8.13|Resets the latency data for one or more events.
lcs|-3|readonly|@read,@string,@slow|-|RO,access@1=1:1:0|string|7.0.0|Finds the longest common substring.
lindex|3|readonly|@read,@list,@slow|-|RO,access@1=0:1:0|list|1.0.0|Returns an element from a list by its index.
linsert|5|write,denyoom|@write,@list,@slow|-|RW,insert@1=0:1:0|list|2.2.0|Inserts an element before or after another element in a list.
llen|2|readonly,fast|@read,@list,@fast|-|RO@1=0:1:0|list|1.0.0|Returns the length of a list.
lmove|5|write,denyoom|@write,@list,@slow|-|RW,access,delete@1=0:1:0 RW,insert@2=0:1:0|list|6.2.0|Returns an element after popping it from one list and pushing it to another. Deletes the list if the last element was moved.
lmpop|-4|write,movablekeys|@write,@list,@slow|-|RW,access,delete@1#0:1:1|list|7.0.0|Returns multiple elements from a list after removing them. Deletes the list if the last element was popped.
lolwut|-1|readonly,fast|@read,@fast|-|-|server|5.0.0|Displays computer art and the Redis version
lpop|-2|write,fast|@write,@list,@fast|-|RW,access,delete@1=0:1:0|list|1.0.0|Returns the first elements in a list after removing it. Deletes the list if the last element was popped.
lpos|-3|readonly|@read,@list,@slow|-|RO,access@1=0:1:0|list|6.0.6|Returns the index of matching elements in a list.
lpushx|-3|write,denyoom,fast|@write,@list,@fast|-|RW,insert@1=0:1:0|list|2.2.0|Prepends one or more elements to a list only when the list exists.
lpush|-3|write,denyoom,fast|@write,@list,@fast|-|RW,insert@1=0:1:0|list|1.0.0|Prepends one or more elements to a list. Creates the key if it doesn't exist.
lrange|4|readonly|@read,@list,@slow|-|RO,access@1=0:1:0|list|1.0.0|Returns a range of elements from a list.
lrem|4|write|@write,@list,@slow|-|RW,delete@1=0:1:0|list|1.0.0|Removes elements from a list. Deletes the list if the last element was removed.
lset|4|write,denyoom|@write,@list,@slow|-|RW,update@1=0:1:0|list|1.0.0|Sets the value of an element in a list by its index.
ltrim|4|write|@write,@list,@slow|-|RW,delete@1=0:1:0|list|1.0.0|Removes elements from both ends a list. Deletes the list if all elements were trimmed.
memory|-2|-|@slow|-|-|server|4.0.0|A container for memory diagnostics commands.
memory|doctor|2|-|@slow|nondeterministic_output,request_policy:all_shards,response_policy:special|-|server|4.0.0|Outputs a memory problems report.
memory|help|2|loading,stale|@slow|-|-|server|4.0.0|Returns helpful text about the different subcommands.
memory|malloc-stats|2|-|@slow|nondeterministic_output,request_policy:all_shards,response_policy:special|-|server|4.0.0|Returns the allocator statistics.
memory|purge|2|-|@slow|request_policy:all_shards,response_policy:all_succeeded|-|server|4.0.0|Asks the allocator to release memory.
memory|stats|2|-|@slow|nondeterministic_output,request_policy:all_shards,response_policy:special|-|server|4.0.0|Returns details about memory usage.
memory|usage|-3|readonly|@read,@slow|-|RO@2=0:1:0|server|4.0.0|Estimates the memory usage of a key.
mget|-2|readonly,fast|@read,@string,@fast|request_policy:multi_shard|RO,access@1=-1:1:0|string|1.0.0|Atomically returns the string values of one or more keys.
migrate|-6|write,movablekeys|@keyspace,@write,@slow,@dangerous|nondeterministic_output|RW,access,delete@3=0:1:0 RW,access,delete,incomplete@KEYS/-2=-1:1:0|generic|2.6.0|Atomically transfers a key from one Redis instance to another.
module|-2|-|@slow|-|-|server|4.0.0|A container for module commands.
module|help|2|loading,stale|@slow|-|-|server|5.0.0|Returns helpful text about the different subcommands.
module|list|2|admin,noscript|@admin,@slow,@dangerous|nondeterministic_output_order|-|server|4.0.0|Returns all loaded modules.
module|loadex|-3|admin,noscript,no_async_loading|@admin,@slow,@dangerous|-|-|server|7.0.0|Loads a module using extended parameters.
module|load|-3|admin,noscript,no_async_loading|@admin,@slow,@dangerous|-|-|server|4.0.0|Loads a module.
module|unload|3|admin,noscript,no_async_loading|@admin,@slow,@dangerous|-|-|server|4.0.0|Unloads a module.
monitor|1|admin,noscript,loading,stale|@admin,@slow,@dangerous|-|-|server|1.0.0|Listens for all requests received by the server in real-time.
move|3|write,fast|@keyspace,@write,@fast|-|RW,access,update@1=0:1:0|generic|1.0.0|Moves a key to another database.
msetnx|-3|write,denyoom|@write,@string,@slow|-|OW,insert@1=-1:2:0|string|1.0.1|Atomically modifies the string values of one or more keys only when all keys don't exist.
mset|-3|write,denyoom|@write,@string,@slow|request_policy:multi_shard,response_policy:all_succeeded|OW,update@1=-1:2:0|string|1.0.1|Atomically creates or modifies the string values of one or more keys.
multi|1|noscript,loading,stale,fast,allow_busy|@fast,@transaction|-|-|transactions|1.2.0|Starts a transaction.
object|-2|-|@slow|-|-|generic|2.2.3|A container for object introspection commands.
object|encoding|3|readonly|@keyspace,@read,@slow|nondeterministic_output|RO@2=0:1:0|generic|2.2.3|Returns the internal encoding of a Redis object.
object|freq|3|readonly|@keyspace,@read,@slow|nondeterministic_output|RO@2=0:1:0|generic|4.0.0|Returns the logarithmic access frequency counter of a Redis object.
object|help|2|loading,stale|@keyspace,@slow|-|-|generic|6.2.0|Returns helpful text about the different subcommands.
object|idletime|3|readonly|@keyspace,@read,@slow|nondeterministic_output|RO@2=0:1:0|generic|2.2.3|Returns the time since the last access to a Redis object.
object|refcount|3|readonly|@keyspace,@read,@slow|nondeterministic_output|RO@2=0:1:0|generic|2.2.3|Returns the reference count of a value of a key.
persist|2|write,fast|@keyspace,@write,@fast|-|RW,update@1=0:1:0|generic|2.2.0|Removes the expiration time of a key.
pexpireat|-3|write,fast|@keyspace,@write,@fast|-|RW,update@1=0:1:0|generic|2.6.0|Sets the expiration time of a key to a Unix milliseconds timestamp.
pexpiretime|2|readonly,fast|@keyspace,@read,@fast|-|RO,access@1=0:1:0|generic|7.0.0|Returns the expiration time of a key as a Unix milliseconds timestamp.
pexpire|-3|write,fast|@keyspace,@write,@fast|-|RW,update@1=0:1:0|generic|2.6.0|Sets the expiration time of a key in milliseconds.
pfadd|-2|write,denyoom,fast|@write,@hyperloglog,@fast|-|RW,insert@1=0:1:0|hyperloglog|2.8.9|Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.
pfcount|-2|readonly|@read,@hyperloglog,@slow|-|RW,access@1=-1:1:0|hyperloglog|2.8.9|Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).
pfdebug|3|write,denyoom,admin|@write,@hyperloglog,@admin,@slow,@dangerous|-|RW,access@2=0:1:0|hyperloglog|2.8.9|Internal commands for debugging HyperLogLog values.
pfmerge|-2|write,denyoom|@write,@hyperloglog,@slow|-|RW,access,insert@1=0:1:0 RO,access@2=-1:1:0|hyperloglog|2.8.9|Merges one or more HyperLogLog values into a single key.
pfselftest|1|admin|@hyperloglog,@admin,@slow,@dangerous|-|-|hyperloglog|2.8.9|An internal command for testing HyperLogLog values.
ping|-1|fast|@fast,@connection|request_policy:all_shards,response_policy:all_succeeded|-|connection|1.0.0|Returns the server's liveliness response.
psetex|4|write,denyoom|@write,@string,@slow|-|OW,update@1=0:1:0|string|2.6.0|Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't exist.
psubscribe|-2|pubsub,noscript,loading,stale|@pubsub,@slow|-|-|pubsub|2.0.0|Listens for messages published to channels that match one or more patterns.
psync|-3|admin,noscript,no_async_loading,no_multi|@admin,@slow,@dangerous|-|-|server|2.8.0|An internal command used in replication.
pttl|2|readonly,fast|@keyspace,@read,@fast|nondeterministic_output|RO,access@1=0:1:0|generic|2.6.0|Returns the expiration time in milliseconds of a key.
publish|3|pubsub,loading,stale,fast|@pubsub,@fast|-|-|pubsub|2.0.0|Posts a message to a channel.
pubsub|-2|-|@slow|-|-|pubsub|2.8.0|A container for Pub/Sub commands.
pubsub|channels|-2|pubsub,loading,stale|@pubsub,@slow|-|-|pubsub|2.8.0|Returns the active channels.
pubsub|help|2|loading,stale|@slow|-|-|pubsub|6.2.0|Returns helpful text about the different subcommands.
pubsub|numpat|2|pubsub,loading,stale|@pubsub,@slow|-|-|pubsub|2.8.0|Returns a count of unique pattern subscriptions.
pubsub|numsub|-2|pubsub,loading,stale|@pubsub,@slow|-|-|pubsub|2.8.0|Returns a count of subscribers to channels.
pubsub|shardchannels|-2|pubsub,loading,stale|@pubsub,@slow|-|-|pubsub|7.0.0|Returns the active shard channels.
pubsub|shardnumsub|-2|pubsub,loading,stale|@pubsub,@slow|-|-|pubsub|7.0.0|Returns the count of subscribers of shard channels.
punsubscribe|-1|pubsub,noscript,loading,stale|@pubsub,@slow|-|-|pubsub|2.0.0|Stops listening to messages published to channels that match one or more patterns.
quit|-1|noscript,loading,stale,fast,no_auth,allow_busy|@fast,@connection|-|-|connection|1.0.0|Closes the connection.
randomkey|1|readonly|@keyspace,@read,@slow|request_policy:all_shards,response_policy:special,nondeterministic_output|-|generic|1.0.0|Returns a random key name from the database.
readonly|1|loading,stale,fast|@fast,@connection|-|-|cluster|3.0.0|Enables read-only queries for a connection to a Redis Cluster replica node.
readwrite|1|loading,stale,fast|@fast,@connection|-|-|cluster|3.0.0|Enables read-write queries for a connection to a Reids Cluster replica node.
renamenx|3|write,fast|@keyspace,@write,@fast|-|RW,access,delete@1=0:1:0 OW,insert@2=0:1:0|generic|1.0.0|Renames a key only when the target key name doesn't exist.
rename|3|write|@keyspace,@write,@slow|-|RW,access,delete@1=0:1:0 OW,update@2=0:1:0|generic|1.0.0|Renames a key and overwrites the destination.
replconf|-1|admin,noscript,loading,stale,allow_busy|@admin,@slow,@dangerous|-|-|server|3.0.0|An internal command for configuring the replication stream.
replicaof|3|admin,noscript,stale,no_async_loading|@admin,@slow,@dangerous|-|-|server|5.0.0|Configures a server as replica of another, or promotes it to a master.
reset|1|noscript,loading,stale,fast,no_auth,allow_busy|@fast,@connection|-|-|connection|6.2.0|Resets the connection.
restore-asking|-4|write,denyoom,asking|@keyspace,@write,@slow,@dangerous|-|OW,update@1=0:1:0|server|3.0.0|An internal command for migrating keys in a cluster.
restore|-4|write,denyoom|@keyspace,@write,@slow,@dangerous|-|OW,update@1=0:1:0|generic|2.6.0|Creates a key from the serialized representation of a value.
role|1|noscript,loading,stale,fast|@admin,@fast,@dangerous|-|-|server|2.8.12|Returns the replication role.
rpoplpush|3|write,denyoom|@write,@list,@slow|-|RW,access,delete@1=0:1:0 RW,insert@2=0:1:0|list|1.2.0|Returns the last element of a list after removing and pushing it to another list. Deletes the list if the last element was popped.
rpop|-2|write,fast|@write,@list,@fast|-|RW,access,delete@1=0:1:0|list|1.0.0|Returns and removes the last elements of a list. Deletes the list if the last element was popped.
rpushx|-3|write,denyoom,fast|@write,@list,@fast|-|RW,insert@1=0:1:0|list|2.2.0|Appends an element to a list only when the list exists.
rpush|-3|write,denyoom,fast|@write,@list,@fast|-|RW,insert@1=0:1:0|list|1.0.0|Appends one or more elements to a list. Creates the key if it doesn't exist.
sadd|-3|write,denyoom,fast|@write,@set,@fast|-|RW,insert@1=0:1:0|set|1.0.0|Adds one or more members to a set. Creates the key if it doesn't exist.
save|1|admin,noscript,no_async_loading,no_multi|@admin,@slow,@dangerous|-|-|server|1.0.0|Synchronously saves the database(s) to disk.
scan|-2|readonly|@keyspace,@read,@slow|nondeterministic_output,request_policy:special,response_policy:special|-|generic|2.8.0|Iterates over the key names in the database.
scard|2|readonly,fast|@read,@set,@fast|-|RO@1=0:1:0|set|1.0.0|Returns the number of members in a set.
script|-2|-|@slow|-|-|scripting|2.6.0|A container for Lua scripts management commands.
script|debug|3|noscript|@slow,@scripting|-|-|scripting|3.2.0|Sets the debug mode of server-side Lua scripts.
script|exists|-3|noscript|@slow,@scripting|request_policy:all_shards,response_policy:agg_logical_and|-|scripting|2.6.0|Determines whether server-side Lua scripts exist in the script cache.
script|flush|-2|noscript|@slow,@scripting|request_policy:all_nodes,response_policy:all_succeeded|-|scripting|2.6.0|Removes all server-side Lua scripts from the script cache.
script|help|2|loading,stale|@slow,@scripting|-|-|scripting|5.0.0|Returns helpful text about the different subcommands.
script|kill|2|noscript,allow_busy|@slow,@scripting|request_policy:all_shards,response_policy:one_succeeded|-|scripting|2.6.0|Terminates a server-side Lua script during execution.
script|load|3|noscript,stale|@slow,@scripting|request_policy:all_nodes,response_policy:all_succeeded|-|scripting|2.6.0|Loads a server-side Lua script to the script cache.
sdiffstore|-3|write,denyoom|@write,@set,@slow|-|OW,update@1=0:1:0 RO,access@2=-1:1:0|set|1.0.0|Stores the difference of multiple sets in a key.
sdiff|-2|readonly|@read,@set,@slow|nondeterministic_output_order|RO,access@1=-1:1:0|set|1.0.0|Returns the difference of multiple sets.
select|2|loading,stale,fast|@fast,@connection|-|-|connection|1.0.0|Changes the selected database.
setbit|4|write,denyoom|@write,@bitmap,@slow|-|RW,access,update@1=0:1:0|bitmap|2.2.0|Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.
setex|4|write,denyoom|@write,@string,@slow|-|OW,update@1=0:1:0|string|2.0.0|Sets the string value and expiration time of a key. Creates the key if it doesn't exist.
setnx|3|write,denyoom,fast|@write,@string,@fast|-|OW,insert@1=0:1:0|string|1.0.0|Set the string value of a key only when the key doesn't exist.
setrange|4|write,denyoom|@write,@string,@slow|-|RW,update@1=0:1:0|string|2.2.0|Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.
set|-3|write,denyoom|@write,@string,@slow|-|RW,access,update,variable_flags@1=0:1:0|string|1.0.0|Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.
shutdown|-1|admin,noscript,loading,stale,no_multi,allow_busy|@admin,@slow,@dangerous|-|-|server|1.0.0|Synchronously saves the database(s) to disk and shuts down the Redis server.
sintercard|-3|readonly,movablekeys|@read,@set,@slow|-|RO,access@1#0:1:1|set|7.0.0|Returns the number of members of the intersect of multiple sets.
sinterstore|-3|write,denyoom|@write,@set,@slow|-|OW,update@1=0:1:0 RO,access@2=-1:1:0|set|1.0.0|Stores the intersect of multiple sets in a key.
sinter|-2|readonly|@read,@set,@slow|nondeterministic_output_order|RO,access@1=-1:1:0|set|1.0.0|Returns the intersect of multiple sets.
sismember|3|readonly,fast|@read,@set,@fast|-|RO@1=0:1:0|set|1.0.0|Determines whether a member belongs to a set.
slaveof|3|admin,noscript,stale,no_async_loading|@admin,@slow,@dangerous|-|-|server|1.0.0|Sets a Redis server as a replica of another, or promotes it to being a master.
slowlog|-2|-|@slow|-|-|server|2.2.12|A container for slow log commands.
slowlog|get|-2|admin,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,nondeterministic_output|-|server|2.2.12|Returns the slow log's entries.
slowlog|help|2|loading,stale|@slow|-|-|server|6.2.0|Show helpful text about the different subcommands
slowlog|len|2|admin,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,response_policy:agg_sum,nondeterministic_output|-|server|2.2.12|Returns the number of entries in the slow log.
slowlog|reset|2|admin,loading,stale|@admin,@slow,@dangerous|request_policy:all_nodes,response_policy:all_succeeded|-|server|2.2.12|Clears all entries from the slow log.
smembers|2|readonly|@read,@set,@slow|nondeterministic_output_order|RO,access@1=0:1:0|set|1.0.0|Returns all members of a set.
smismember|-3|readonly,fast|@read,@set,@fast|-|RO,access@1=0:1:0|set|6.2.0|Determines whether multiple members belong to a set.
smove|4|write,fast|@write,@set,@fast|-|RW,access,delete@1=0:1:0 RW,insert@2=0:1:0|set|1.0.0|Moves a member from one set to another.
sort_ro|-2|readonly,movablekeys|@read,@set,@sortedset,@list,@slow,@dangerous|-|RO,access@1=0:1:0 RO,access@?|generic|7.0.0|Returns the sorted elements of a list, a set, or a sorted set.
sort|-2|write,denyoom,movablekeys|@write,@set,@sortedset,@list,@slow,@dangerous|-|RO,access@1=0:1:0 RO,access@? OW,update@?|generic|1.0.0|Sorts the elements in a list, a set, or a sorted set, optionally storing the result.
spop|-2|write,fast|@write,@set,@fast|nondeterministic_output|RW,access,delete@1=0:1:0|set|1.0.0|Returns one or more random members from a set after removing them. Deletes the set if the last member was popped.
spublish|3|pubsub,loading,stale,fast|@pubsub,@fast|-|not_key@1=0:1:0|pubsub|7.0.0|Post a message to a shard channel
srandmember|-2|readonly|@read,@set,@slow|nondeterministic_output|RO,access@1=0:1:0|set|1.0.0|Get one or multiple random members from a set
srem|-3|write,fast|@write,@set,@fast|-|RW,delete@1=0:1:0|set|1.0.0|Removes one or more members from a set. Deletes the set if the last member was removed.
sscan|-3|readonly|@read,@set,@slow|nondeterministic_output|RO,access@1=0:1:0|set|2.8.0|Iterates over members of a set.
ssubscribe|-2|pubsub,noscript,loading,stale|@pubsub,@slow|-|not_key@1=-1:1:0|pubsub|7.0.0|Listens for messages published to shard channels.
strlen|2|readonly,fast|@read,@string,@fast|-|RO@1=0:1:0|string|2.2.0|Returns the length of a string value.
subscribe|-2|pubsub,noscript,loading,stale|@pubsub,@slow|-|-|pubsub|2.0.0|Listens for messages published to channels.
substr|4|readonly|@read,@string,@slow|-|RO,access@1=0:1:0|string|1.0.0|Returns a substring from a string value.
sunionstore|-3|write,denyoom|@write,@set,@slow|-|OW,update@1=0:1:0 RO,access@2=-1:1:0|set|1.0.0|Stores the union of multiple sets in a key.
sunion|-2|readonly|@read,@set,@slow|nondeterministic_output_order|RO,access@1=-1:1:0|set|1.0.0|Returns the union of multiple sets.
sunsubscribe|-1|pubsub,noscript,loading,stale|@pubsub,@slow|-|not_key@1=-1:1:0|pubsub|7.0.0|Stops listening to messages posted to shard channels.
swapdb|3|write,fast|@keyspace,@write,@fast,@dangerous|-|-|server|4.0.0|Swaps two Redis databases.
sync|1|admin,noscript,no_async_loading,no_multi|@admin,@slow,@dangerous|-|-|server|1.0.0|An internal command used in replication.
time|1|loading,stale,fast|@fast|nondeterministic_output|-|server|2.6.0|Returns the server time.
touch|-2|readonly,fast|@keyspace,@read,@fast|request_policy:multi_shard,response_policy:agg_sum|RO@1=-1:1:0|generic|3.2.1|Returns the number of existing keys out of those specified after updating the time they were last accessed.
ttl|2|readonly,fast|@keyspace,@read,@fast|nondeterministic_output|RO,access@1=0:1:0|generic|1.0.0|Returns the expiration time in seconds of a key.
type|2|readonly,fast|@keyspace,@read,@fast|-|RO@1=0:1:0|generic|1.0.0|Determines the type of value stored at a key.
unlink|-2|write,fast|@keyspace,@write,@fast|request_policy:multi_shard,response_policy:agg_sum|RM,delete@1=-1:1:0|generic|4.0.0|Asynchronously deletes one or more keys.
unsubscribe|-1|pubsub,noscript,loading,stale|@pubsub,@slow|-|-|pubsub|2.0.0|Stops listening to messages posted to channels.
unwatch|1|noscript,loading,stale,fast,allow_busy|@fast,@transaction|-|-|transactions|2.2.0|Forgets about watched keys of a transaction.
waitaof|4|blocking|@slow,@blocking,@connection|request_policy:all_shards,response_policy:agg_min|-|generic|7.2.0|Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.
wait|3|blocking|@slow,@blocking,@connection|request_policy:all_shards,response_policy:agg_min|-|generic|3.0.0|Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.
watch|-2|noscript,loading,stale,fast,allow_busy|@fast,@transaction|-|RO@1=-1:1:0|transactions|2.2.0|Monitors changes to keys to determine the execution of a transaction.
xack|-4|write,fast|@write,@stream,@fast|-|RW,update@1=0:1:0|stream|5.0.0|Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.
xadd|-5|write,denyoom,fast|@write,@stream,@fast|nondeterministic_output|RW,update@1=0:1:0|stream|5.0.0|Appends a new message to a stream. Creates the key if it doesn't exist.
xautoclaim|-6|write,fast|@write,@stream,@fast|nondeterministic_output|RW,delete@1=0:1:0|stream|6.2.0|Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.
xclaim|-6|write,fast|@write,@stream,@fast|nondeterministic_output|RW,update@1=0:1:0|stream|5.0.0|Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.
xdel|-3|write,fast|@write,@stream,@fast|-|RW,delete@1=0:1:0|stream|5.0.0|Returns the number of messages after removing them from a stream.
xgroup|-2|-|@slow|-|-|stream|5.0.0|A container for consumer groups commands.
xgroup|createconsumer|5|write,denyoom|@write,@stream,@slow|-|RW,insert@2=0:1:0|stream|6.2.0|Creates a consumer in a consumer group.
xgroup|create|-5|write,denyoom|@write,@stream,@slow|-|RW,insert@2=0:1:0|stream|5.0.0|Creates a consumer group.
xgroup|delconsumer|5|write|@write,@stream,@slow|-|RW,delete@2=0:1:0|stream|5.0.0|Deletes a consumer from a consumer group.
xgroup|destroy|4|write|@write,@stream,@slow|-|RW,delete@2=0:1:0|stream|5.0.0|Destroys a consumer group.
xgroup|help|2|loading,stale|@stream,@slow|-|-|stream|5.0.0|Returns helpful text about the different subcommands.
xgroup|setid|-5|write|@write,@stream,@slow|-|RW,update@2=0:1:0|stream|5.0.0|Sets the last-delivered ID of a consumer group.
xinfo|-2|-|@slow|-|-|stream|5.0.0|A container for stream introspection commands.
xinfo|consumers|4|readonly|@read,@stream,@slow|nondeterministic_output|RO,access@2=0:1:0|stream|5.0.0|Returns a list of the consumers in a consumer group.
xinfo|groups|3|readonly|@read,@stream,@slow|-|RO,access@2=0:1:0|stream|5.0.0|Returns a list of the consumer groups of a stream.
xinfo|help|2|loading,stale|@stream,@slow|-|-|stream|5.0.0|Returns helpful text about the different subcommands.
xinfo|stream|-3|readonly|@read,@stream,@slow|-|RO,access@2=0:1:0|stream|5.0.0|Returns information about a stream.
xlen|2|readonly,fast|@read,@stream,@fast|-|RO@1=0:1:0|stream|5.0.0|Return the number of messages in a stream.
xpending|-3|readonly|@read,@stream,@slow|nondeterministic_output|RO,access@1=0:1:0|stream|5.0.0|Returns the information and entries from a stream consumer group's pending entries list.
xrange|-4|readonly|@read,@stream,@slow|-|RO,access@1=0:1:0|stream|5.0.0|Returns the messages from a stream within a range of IDs.
xreadgroup|-7|write,blocking,movablekeys|@write,@stream,@slow,@blocking|-|RO,access@STREAMS/4=-1:1:2|stream|5.0.0|Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.
xread|-4|readonly,blocking,movablekeys|@read,@stream,@slow,@blocking|-|RO,access@STREAMS/1=-1:1:2|stream|5.0.0|Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.
xrevrange|-4|readonly|@read,@stream,@slow|-|RO,access@1=0:1:0|stream|5.0.0|Returns the messages from a stream within a range of IDs in reverse order.
xsetid|-3|write,denyoom,fast|@write,@stream,@fast|-|RW,update@1=0:1:0|stream|5.0.0|An internal command for replicating stream values.
xtrim|-4|write|@write,@stream,@slow|nondeterministic_output|RW,delete@1=0:1:0|stream|5.0.0|Deletes messages from the beginning of a stream.
zadd|-4|write,denyoom,fast|@write,@sortedset,@fast|-|RW,update@1=0:1:0|sorted-set|1.2.0|Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.
zcard|2|readonly,fast|@read,@sortedset,@fast|-|RO@1=0:1:0|sorted-set|1.2.0|Returns the number of members in a sorted set.
zcount|4|readonly,fast|@read,@sortedset,@fast|-|RO,access@1=0:1:0|sorted-set|2.0.0|Returns the count of members in a sorted set that have scores within a range.
zdiffstore|-4|write,denyoom,movablekeys|@write,@sortedset,@slow|-|OW,update@1=0:1:0 RO,access@2#0:1:1|sorted-set|6.2.0|Stores the difference of multiple sorted sets in a key.
zdiff|-3|readonly,movablekeys|@read,@sortedset,@slow|-|RO,access@1#0:1:1|sorted-set|6.2.0|Returns the difference between multiple sorted sets.
zincrby|4|write,denyoom,fast|@write,@sortedset,@fast|-|RW,access,update@1=0:1:0|sorted-set|1.2.0|Increments the score of a member in a sorted set.
zintercard|-3|readonly,movablekeys|@read,@sortedset,@slow|-|RO,access@1#0:1:1|sorted-set|7.0.0|Returns the number of members of the intersect of multiple sorted sets.
zinterstore|-4|write,denyoom,movablekeys|@write,@sortedset,@slow|-|OW,update@1=0:1:0 RO,access@2#0:1:1|sorted-set|2.0.0|Stores the intersect of multiple sorted sets in a key.
zinter|-3|readonly,movablekeys|@read,@sortedset,@slow|-|RO,access@1#0:1:1|sorted-set|6.2.0|Returns the intersect of multiple sorted sets.
zlexcount|4|readonly,fast|@read,@sortedset,@fast|-|RO,access@1=0:1:0|sorted-set|2.8.9|Returns the number of members in a sorted set within a lexicographical range.
zmpop|-4|write,movablekeys|@write,@sortedset,@slow|-|RW,access,delete@1#0:1:1|sorted-set|7.0.0|Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the sorted set if the last member was popped.
zmscore|-3|readonly,fast|@read,@sortedset,@fast|-|RO,access@1=0:1:0|sorted-set|6.2.0|Returns the score of one or more members in a sorted set.
zpopmax|-2|write,fast|@write,@sortedset,@fast|-|RW,access,delete@1=0:1:0|sorted-set|5.0.0|Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.
zpopmin|-2|write,fast|@write,@sortedset,@fast|-|RW,access,delete@1=0:1:0|sorted-set|5.0.0|Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.
zrandmember|-2|readonly|@read,@sortedset,@slow|nondeterministic_output|RO,access@1=0:1:0|sorted-set|6.2.0|Returns one or more random members from a sorted set.
zrangebylex|-4|readonly|@read,@sortedset,@slow|-|RO,access@1=0:1:0|sorted-set|2.8.9|Returns members in a sorted set within a lexicographical range.
zrangebyscore|-4|readonly|@read,@sortedset,@slow|-|RO,access@1=0:1:0|sorted-set|1.0.5|Returns members in a sorted set within a range of scores.
zrangestore|-5|write,denyoom|@write,@sortedset,@slow|-|OW,update@1=0:1:0 RO,access@2=0:1:0|sorted-set|6.2.0|Stores a range of members from sorted set in a key.
zrange|-4|readonly|@read,@sortedset,@slow|-|RO,access@1=0:1:0|sorted-set|1.2.0|Returns members in a sorted set within a range of indexes.
zrank|-3|readonly,fast|@read,@sortedset,@fast|-|RO,access@1=0:1:0|sorted-set|2.0.0|Returns the index of a member in a sorted set ordered by ascending scores.
zremrangebylex|4|write|@write,@sortedset,@slow|-|RW,delete@1=0:1:0|sorted-set|2.8.9|Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were removed.
zremrangebyrank|4|write|@write,@sortedset,@slow|-|RW,delete@1=0:1:0|sorted-set|2.0.0|Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed.
zremrangebyscore|4|write|@write,@sortedset,@slow|-|RW,delete@1=0:1:0|sorted-set|1.2.0|Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed.
zrem|-3|write,fast|@write,@sortedset,@fast|-|RW,delete@1=0:1:0|sorted-set|1.2.0|Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.
zrevrangebylex|-4|readonly|@read,@sortedset,@slow|-|RO,access@1=0:1:0|sorted-set|2.8.9|Returns members in a sorted set within a lexicographical range in reverse order.
zrevrangebyscore|-4|readonly|@read,@sortedset,@slow|-|RO,access@1=0:1:0|sorted-set|2.2.0|Returns members in a sorted set within a range of scores in reverse order.
zrevrange|-4|readonly|@read,@sortedset,@slow|-|RO,access@1=0:1:0|sorted-set|1.2.0|Returns members in a sorted set within a range of indexes in reverse order.
zrevrank|-3|readonly,fast|@read,@sortedset,@fast|-|RO,access@1=0:1:0|sorted-set|2.0.0|Returns the index of a member in a sorted set ordered by descending scores.
zscan|-3|readonly|@read,@sortedset,@slow|nondeterministic_output|RO,access@1=0:1:0|sorted-set|2.8.0|Iterates over members and scores of a sorted set.
zscore|3|readonly,fast|@read,@sortedset,@fast|-|RO,access@1=0:1:0|sorted-set|1.2.0|Returns the score of a member in a sorted set.
zunionstore|-4|write,denyoom,movablekeys|@write,@sortedset,@slow|-|OW,update@1=0:1:0 RO,access@2#0:1:1|sorted-set|2.0.0|Stores the union of multiple sorted sets in a key.
zunion|-3|readonly,movablekeys|@read,@sortedset,@slow|-|RO,access@1#0:1:1|sorted-set|6.2.0|Returns the union of multiple sorted sets.
json.arrappend|-4|write,denyoom|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Appends values to arrays
json.arrindex|-4|readonly|@read,@json,@slow|-|RO,access@1=0:1:0|json|1.0.0|Finds a value in arrays
json.arrinsert|-5|write,denyoom|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Inserts values into arrays
json.arrlen|-2|readonly|@read,@json,@slow|-|RO,access@1=0:1:0|json|1.0.0|Returns the lengths of arrays
json.arrpop|-2|write|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Removes and returns elements of arrays
json.arrtrim|5|write|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Keeps a range of arrays
json.clear|-2|write|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Empties containers and zeroes numbers
json.del|-2|write|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Deletes values
json.forget|-2|write|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Deletes values
json.get|-2|readonly|@read,@json,@slow|-|RO,access@1=0:1:0|json|1.0.0|Returns values as text
json.merge|4|write,denyoom|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Merges a value into others
json.mget|-3|readonly|@read,@json,@slow|-|RO,access@1=-2:1:0|json|1.0.0|Returns a path of several keys
json.mset|-4|write,denyoom|@write,@json,@slow|-|RW,access,update@1=-1:3:0|json|1.0.0|Sets values of several keys
json.numincrby|4|write,denyoom|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Adds to numbers
json.nummultby|4|write,denyoom|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Multiplies numbers
json.objkeys|-2|readonly|@read,@json,@slow|-|RO,access@1=0:1:0|json|1.0.0|Returns the names of objects
json.objlen|-2|readonly|@read,@json,@slow|-|RO,access@1=0:1:0|json|1.0.0|Returns the sizes of objects
json.resp|-2|readonly|@read,@json,@slow|-|RO,access@1=0:1:0|json|1.0.0|Returns values as replies
json.set|-4|write,denyoom|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Sets a value
json.strappend|-3|write,denyoom|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Appends to strings
json.strlen|-2|readonly|@read,@json,@slow|-|RO,access@1=0:1:0|json|1.0.0|Returns the lengths of strings
json.toggle|3|write|@write,@json,@slow|-|RW,access,update@1=0:1:0|json|1.0.0|Turns booleans round
json.type|-2|readonly|@read,@json,@slow|-|RO,access@1=0:1:0|json|1.0.0|Returns the types of values
`
