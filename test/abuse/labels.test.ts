/** Metrics under abuse: callers who write whatever they like make no series. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  mint,
  scrape,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { makeTokenKey } from "../support/tokens.ts";
import {
  dialWire,
  frame,
  sign,
  type SigningRequest,
  type WireConnection,
} from "../server/grpc-wire.ts";

const stranger = makeTokenKey("ES256", "stranger");

/** One of each kind of thing that a caller can write. */
function abuses(mark: string): readonly SigningRequest[] {
  const sub = `system:serviceaccount:shop:${mark}`;
  return [
    { authorization: `Bearer ${mint({ iss: `https://${mark}` })}` },
    { authorization: `Bearer ${mint({ aud: [mark] })}` },
    { authorization: `Bearer ${mint({ sub: mark })}` },
    { authorization: `Bearer ${mint({ sub, jti: mark }, { ...stranger, keyId: mark })}` },
    { authorization: `Bearer ${mark}` },
    { authorization: mark },
    { headers: { "user-agent": mark, "x-forwarded-for": mark, [mark]: mark } },
    { message: { csr: `-----BEGIN ${mark}-----` } },
    { message: { metadata: { ClusterID: mark, CertSigner: mark } } },
    { message: { metadata: { ImpersonatedIdentity: mark } } },
    { authorization: `Bearer ${mint({ sub, "kubernetes.io": undefined })}` },
  ];
}

describe("the metrics of a server", () => {
  let server: TestControlPlane;
  let connection: WireConnection;
  before(async () => {
    server = await startControlPlane();
    connection = dialWire(server);
  });
  after(async () => {
    await connection[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  async function seriesAfter(mark: string): Promise<readonly string[]> {
    for (const request of abuses(mark)) await sign(connection, request);
    await connection.call(`/${mark}/${mark}`, frame(new Uint8Array(0)));
    await fetch(`${server.controlPlane.endpoints.metrics}/${mark}`);
    return [...(await scrape(server)).keys()].toSorted();
  }

  it("CVE-2025-43915: have no series more for a caller who writes something else", async () => {
    const first = await seriesAfter("mark-0");
    for (let count = 1; count < 20; count++)
      assert.deepEqual(await seriesAfter(`mark-${count}`), first);
    assert.deepEqual(
      first.filter((series) => series.includes("mark-")),
      [],
    );
  });
});
