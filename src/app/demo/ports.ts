/** Ports for servers that stay away for a while and must find them free again. */

import { once } from "node:events";
import { createServer } from "node:net";
import { DemoError } from "./demo-error.ts";

/**
 * Below the ephemeral ranges of Linux (32768) and macOS (49152): of those a port could go to one of
 * the thousands of outgoing connections while its server is restarted.
 */
const portMin = 20_000;
const portMax = 29_999;
const attemptsMax = 200;

/** Distinct ones. @param random in [0, 1) */
export async function freePorts(count: number, random: () => number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; attempt < attemptsMax && ports.size < count; attempt++) {
    const port = portMin + Math.floor(random() * (portMax - portMin + 1));
    if (await isFree(port)) ports.add(port);
  }
  if (ports.size === count) return [...ports];
  const message = `expected ${count} free ports from ${portMin} to ${portMax}, got ${ports.size}`;
  throw new DemoError("demo-no-free-port", message);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  await server[Symbol.asyncDispose]();
  return true;
}
