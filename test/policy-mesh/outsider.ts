/** Somebody without a certificate of the mesh, and what he gets of a port. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { host, member } from "./manifests.ts";
import type { PolicyMesh } from "./policy-mesh.ts";

const said: Readonly<Record<string, string>> = {
  [host.otherHttp]: "GET / HTTP/1.1\r\nhost: other\r\nconnection: close\r\n\r\n",
  [host.otherTcp]: "an outsider's ping",
};

/** In plaintext, over HTTP and TCP. Whoever is refused has reached no application. */
export async function assertOutsiderIsServed(mesh: PolicyMesh, isServed: boolean): Promise<void> {
  const { address } = member("other-1");
  for (const [host, say] of Object.entries(said)) {
    const before = mesh.seenBy(host);
    const answer = await ask(address, mesh.service(host).port, say);
    assert.equal(answer !== "", isServed, `${host} has answered ${JSON.stringify(answer)}`);
    assert.equal(mesh.seenBy(host) > before, isServed, `the application of ${host}`);
  }
}

/** @returns the beginning of the answer */
async function ask(address: string, port: number, say: string): Promise<string> {
  const socket = connect({ host: address, port });
  const answer = new Promise<string>((resolve) => {
    socket.once("data", (data: Buffer) => resolve(data.toString()));
    socket.once("close", () => resolve("")).on("error", () => undefined);
  });
  socket.write(say);
  try {
    return await answer;
  } finally {
    socket.destroy();
  }
}
