import { ask, freePort, type Server, startServer } from '../../scripts/servers.ts'

/** A Cluster of one node that owns every slot, as it is behind the single url of a managed service. */
export async function startClusterNode(): Promise<Server> {
  const bus = `${await freePort()}`
  const args = ['--cluster-enabled', 'yes', '--cluster-port', bus, '--cluster-announce-ip', '127.0.0.1']
  const node = await startServer('redis8', { args: [...args, '--cluster-config-file', 'nodes.conf'] })
  try {
    const reply = await ask(node.port, 'CLUSTER ADDSLOTSRANGE 0 16383')
    if (!reply.startsWith('+OK')) throw new Error(`the node did not take the slots: ${reply}`)
    for (let left = 500; !(await ask(node.port, 'CLUSTER INFO')).includes('cluster_state:ok'); left--) {
      if (left === 0) throw new Error('the node did not become a Cluster')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return node
  } catch (error) {
    await node.stop()
    throw error
  }
}
