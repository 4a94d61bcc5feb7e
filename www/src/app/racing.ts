export async function race() {}
