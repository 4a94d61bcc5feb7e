// Beside the store, in a page and in its worker: tells of every database that the browser makes anew, and of what it says was lost by that.
const channel = new BroadcastChannel('witness')
const { open } = IDBFactory.prototype

IDBFactory.prototype.open = function (name, version) {
  const request = open.call(this, name, version)
  request.addEventListener('upgradeneeded', ({ oldVersion, dataLoss, dataLossMessage }) => channel.postMessage({ anew: name, oldVersion, dataLoss, dataLossMessage }))
  return request
}

/** In a page: what there is before the store is opened. */
export async function before() {
  const databases = await indexedDB.databases().then((all) => all.map(({ name, version }) => `${name} ${version}`), String)
  return { databases }
}

export const heard = (tell) => new BroadcastChannel('witness').addEventListener('message', ({ data }) => tell(data))
