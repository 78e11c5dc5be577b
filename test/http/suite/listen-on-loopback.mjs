// The suite's origin listens on every address. This module, preloaded, makes it listen on this machine alone.
import net from 'node:net'

const { listen } = net.Server.prototype
net.Server.prototype.listen = function (port, ...rest) {
  return typeof port === 'object' ? listen.call(this, port, ...rest) : listen.call(this, port, '127.0.0.1', ...rest)
}
