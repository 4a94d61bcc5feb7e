// Watches the databases of a page and its worker. It reports each one that the browser creates, and whether the browser
// says that data was lost.
const channel = new BroadcastChannel('witness')
const { open } = IDBFactory.prototype

IDBFactory.prototype.open = function (name, version) {
  const request = open.call(this, name, version)
  request.addEventListener('upgradeneeded', ({ oldVersion, dataLoss, dataLossMessage }) =>
    channel.postMessage({ anew: name, oldVersion, dataLoss, dataLossMessage }),
  )
  return request
}

/** Runs in a page before the store is opened. Returns the databases that are there. */
export async function before() {
  const databases = await indexedDB
    .databases()
    .then((all) => all.map(({ name, version }) => `${name} ${version}`), String)
  return { databases }
}

export const heard = (tell) => new BroadcastChannel('witness').addEventListener('message', ({ data }) => tell(data))
