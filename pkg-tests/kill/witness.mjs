// Watches a page and its worker beside the store. It reports every database that the browser makes anew, and what the
// browser says was lost by that.
const channel = new BroadcastChannel('witness')
const { open } = IDBFactory.prototype

IDBFactory.prototype.open = function (name, version) {
  const request = open.call(this, name, version)
  request.addEventListener('upgradeneeded', ({ oldVersion, dataLoss, dataLossMessage }) =>
    channel.postMessage({ anew: name, oldVersion, dataLoss, dataLossMessage }),
  )
  return request
}

/** Runs in a page: reports what is there before the store is opened. */
export async function before() {
  const databases = await indexedDB
    .databases()
    .then((all) => all.map(({ name, version }) => `${name} ${version}`), String)
  return { databases }
}

export const heard = (tell) => new BroadcastChannel('witness').addEventListener('message', ({ data }) => tell(data))
