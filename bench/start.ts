/** From `portcullis server` on the command line to the first certificate in a client's hands. */

import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createCsr } from "../src/core/x509/csr-create.ts";
import { requestCertificate } from "../src/edge/rpc/ca-client.ts";
import { bearerAt } from "./corpus.ts";
import type { Fixture } from "./fixture.ts";
import type { Measure } from "./report.ts";
import { BenchServer } from "./server.ts";
import { mintToken } from "./tokens.ts";

/** On a new directory (a root is made) and on one that has a root. */
export async function benchStart(fixture: Fixture): Promise<Measure[]> {
  const { starts } = fixture.size;
  const first: number[] = [];
  const again: number[] = [];
  // The first pass warms the caches of the disk and of the client, and is not counted.
  for (let run = 0; run <= starts; run++) {
    const dataDir = join(fixture.directory, `start-${run}`);
    const times = [await timeToFirst(fixture, dataDir), await timeToFirst(fixture, dataDir)];
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

async function timeToFirst(fixture: Fixture, dataDir: string): Promise<number> {
  const { tokens, jwksFile, signal, seed } = fixture;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const token = await mintToken(tokens, bearerAt(0), 0, seed);
  const { csrPem } = await createCsr();
  const port = await freePort();
  const startedMs = performance.now();
  const starting = BenchServer.start({ dataDir, tokens, jwksFile, signal, port });
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
