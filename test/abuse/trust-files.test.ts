/** Files of roots that are there and hold none: whoever is named in one is believed, and never whom the system believes. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import { join } from "node:path";
import { connectivityState } from "@grpc/grpc-js";
import { after, before, describe, it } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { JwksError } from "../../src/edge/authn/key-set.ts";
import { readJwksDocument } from "../../src/edge/authn/jwks-document.ts";
import { dial } from "../../src/edge/rpc/dial.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const temporary = temporaryDirectory();
const pki = new OpensslPki(temporary.path);
const root = pki.root("public CA");
const leaf = pki.under(root, "leaf", {
  extensions: {
    basicConstraints: "critical,CA:FALSE",
    keyUsage: "digitalSignature",
    subjectAltName: "IP:127.0.0.1",
  },
});
const empty = join(temporary.path, "empty.pem");
writeFileSync(empty, "");
const options = { key: leaf.keyPem, cert: leaf.certPem };
const defaults = getCACertificates("default");

describe("where the system trusts who answers", () => {
  let server: Http2SecureServer;
  let port = 0;
  before(async () => {
    setDefaultCACertificates([...defaults, root.certPem]);
    server = createSecureServer({ ...options, allowHTTP1: true }, (_, response) => {
      response.end("{}");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
  });
  after(async () => {
    setDefaultCACertificates(defaults);
    server.close();
    await once(server, "close");
    temporary[Symbol.dispose]();
  });

  it("CVE-2026-27586: keys are not read from it when the file of roots is empty", async () => {
    const url = new URL(`https://127.0.0.1:${port}/`);
    const signal = AbortSignal.timeout(5_000);
    assert.equal(await readJwksDocument({ kind: "url", url }, signal), "{}");
    const refused = once(server, "tlsClientError");
    await assert.rejects(readJwksDocument({ kind: "url", url, caFile: empty }, signal), JwksError);
    await refused;
  });

  it("CVE-2026-27586: an agent does not connect to it when its file of roots is empty", async () => {
    const connects = async (serverRoots: Uint8Array): Promise<boolean> => {
      const client = dial({ server: `127.0.0.1:${port}`, serverRoots });
      const channel = client.getChannel();
      let state = channel.getConnectivityState(true);
      while (state !== connectivityState.READY && state !== connectivityState.TRANSIENT_FAILURE) {
        const { promise, resolve } = Promise.withResolvers<unknown>();
        channel.watchConnectivityState(state, Infinity, resolve);
        await promise;
        state = channel.getConnectivityState(true);
      }
      client.close();
      return state === connectivityState.READY;
    };
    assert.equal(await connects(Buffer.from(root.certPem)), true);
    assert.equal(await connects(new Uint8Array(0)), false);
  });
});
