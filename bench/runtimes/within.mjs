/** Does some work with a channel, and ends the channel afterwards. Returns the result of the work. */
export async function within(channel, work) {
  const opened = await channel
  try {
    return await work(opened)
  } finally {
    await opened.end()
  }
}
