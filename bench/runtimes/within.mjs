/** Works with a channel, and ends the channel afterwards. */
export async function within(channel, work) {
  const opened = await channel
  try {
    return await work(opened)
  } finally {
    await opened.end()
  }
}
