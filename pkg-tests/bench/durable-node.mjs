export async function durable() {}
