/** The certificate of a node agent: fetched from the server under test, as an agent would. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodePem } from "../src/core/x509/pem.ts";
import { createCsr } from "../src/core/x509/csr-create.ts";
import { requestCertificate } from "../src/edge/rpc/ca-client.ts";
import type { LoadFixture } from "./fixture.ts";
import type { LoadOptions } from "./load.ts";
import { mintToken, type Bearer } from "./tokens.ts";

export const nodeBearer: Bearer = {
  namespace: "bench",
  serviceAccount: "node-agent",
  pod: "node-agent-0",
};
export const nodeIdentity = "spiffe://cluster.local/ns/bench/sa/node-agent";

export async function fetchNodeIdentity(
  { tokens, seed, directory, rootFile, signal }: LoadFixture,
  server: string,
): Promise<NonNullable<LoadOptions["identity"]>> {
  const token = await mintToken(tokens, nodeBearer, 0, seed);
  const { csrPem, privateKeyPkcs8 } = await createCsr();
  const serverRoots = await readFile(rootFile);
  const request = { server, serverRoots, token, csrPem, ttlSeconds: 0, timeoutMs: 5_000 };
  const chain = await requestCertificate(request, signal);
  const certificateFile = join(directory, "node-agent.pem");
  const keyFile = join(directory, "node-agent-key.pem");
  await writeFile(certificateFile, chain.slice(0, -1).join(""));
  await writeFile(keyFile, encodePem(privateKeyPkcs8, "PRIVATE KEY"), { mode: 0o600 });
  return { certificateFile, keyFile };
}
