/** From `portcullis dev` on the command line to the first certificate in a client's hands. */

import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createCsr } from "../src/core/x509/csr-create.ts";
import { TokenIssuer } from "../src/app/dev/token-issuer.ts";
import { requestCertificate } from "../src/edge/rpc/ca-client.ts";
import type { Measure } from "./report.ts";
import { BenchServer } from "./server.ts";

/**
 * On a new directory (a root is made) and on one that has a root. The key of dev's token issuer is there before: making an
 * RSA key is no part of a server's start.
 */
export async function benchStart(
  directory: string,
  runs: number,
  signal: AbortSignal,
): Promise<Measure[]> {
  const first: number[] = [];
  const again: number[] = [];
  // The first pass warms the caches of the disk and of the client, and is not counted.
  for (let run = 0; run <= runs; run++) {
    const dataDir = join(directory, `start-${run}`);
    const times = [await timeToFirst(dataDir, signal), await timeToFirst(dataDir, signal)];
    if (run === 0) continue;
    first.push(times[0] ?? Number.NaN);
    again.push(times[1] ?? Number.NaN);
  }
  return [
    {
      name: "start to first certificate, new root",
      kind: "latency",
      runs: first,
      peer: { name: "istiod", value: 270 },
      bound: { kind: "target", value: 200 },
    },
    { name: "start to first certificate, root there", kind: "latency", runs: again },
  ];
}

async function timeToFirst(dataDir: string, signal: AbortSignal): Promise<number> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const issuer = await TokenIssuer.open(dataDir);
  const nowMs = Date.now();
  const token = await issuer.mintToken({
    namespace: "bench",
    serviceAccount: "start",
    audiences: ["istio-ca"],
    ttlSeconds: 600,
    nowMs,
  });
  const { csrPem } = await createCsr();
  const port = await freePort();
  const startedMs = performance.now();
  const starting = BenchServer.start(dataDir, signal, port);
  // The port opens before the addresses are published: a client in the mesh knows the port.
  while (!(await canConnect(port))) await sleep(1, undefined, { signal });
  const server = `127.0.0.1:${port}`;
  const serverRoots = await readFile(join(dataDir, "root-cert.pem"));
  const request = { server, serverRoots, token, csrPem, ttlSeconds: 0, timeoutMs: 5_000 };
  await requestCertificate(request, signal);
  const tookMs = performance.now() - startedMs;
  await using _ = await starting;
  return tookMs;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
