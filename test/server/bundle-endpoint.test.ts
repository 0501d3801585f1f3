/** The SPIFFE bundle endpoint with an X509-SVID, as browsers, OpenSSL and attackers meet it. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect } from "node:tls";

import { parseBundleDocument } from "../../src/core/spiffe/bundle-document.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { parsePublicKey } from "../../src/core/x509/public-key.ts";
import { createRoot } from "../../src/core/x509/root.ts";
import { eventually } from "../support/control-plane.ts";
import { opensslVerify } from "../support/openssl-verify.ts";
import { ask, startBundleRig, type BundleRig } from "./bundle-rig.ts";

const ENDPOINT_ID = "spiffe://cluster.local/portcullis/server";

let rig: BundleRig;
before(async () => {
  rig = await startBundleRig();
});
after(() => rig[Symbol.asyncDispose]());

const get = (path = "/", options = {}, content?: string) =>
  ask(new URL(path, rig.endpoint.url).href, { ca: rig.parts.rootPem, ...options }, content);

describe("the document", () => {
  test("FED-9, SS-34: is the current bundle, in JSON, for whoever asks with GET /", async () => {
    const { bundle } = rig.parts.trust.current;
    const { status, headers, body } = await get();
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["cache-control"], "max-age=300");
    const document = parseBundleDocument(body);
    assert.equal(document.sequence, bundle.sequence);
    assert.equal(document.refreshHintSeconds, 300);
    assert.deepEqual(document.roots.map(hex), bundle.roots.map(hex));
    assert.deepEqual(
      document.jwtKeys.map(({ keyId }) => keyId),
      [rig.parts.trust.current.jwt.keyId],
    );
  });

  test("is announced to HEAD with the same headers, and not sent", async () => {
    const [whole, head] = [await get(), await get("/", { method: "HEAD" })];
    const { date: _, ...headers } = whole.headers;
    const { date: __, ...headHeaders } = head.headers;
    assert.deepEqual([head.status, head.body], [200, ""]);
    assert.deepEqual(headHeaders, headers);
  });

  const conditions: readonly (readonly [string, (etag: string) => string, number])[] = [
    ["the tag", (etag) => etag, 304],
    ["the tag in a list", (etag) => `"a", ${etag}`, 304],
    ["the tag, weakly", (etag) => `W/${etag}`, 304],
    ["anything", () => "*", 304],
    ["another tag", () => '"1-x"', 200],
    ["the tag without its quotes", (etag) => etag.slice(1, -1), 200],
  ];
  for (const [title, ifNoneMatch, status] of conditions) {
    test(`is answered with ${status} to whoever has ${title}`, async () => {
      const { headers } = await get();
      const etag = headers.etag ?? "";
      assert.match(etag, /^"1-[\w-]{22}"$/);
      const again = await get("/", { headers: { "if-none-match": ifNoneMatch(etag) } });
      assert.equal(again.status, status);
      assert.equal(again.body === "", status === 304);
      assert.equal(again.headers.etag, etag);
    });
  }

  const requests: readonly (readonly [string, string, number])[] = [
    ["GET", "/?a=b", 200],
    ["GET", "/bundle", 404],
    ["GET", "//", 404],
    ["GET", "/..", 404],
    ["GET", "/%2f", 404],
    ["HEAD", "/x", 404],
    ["POST", "/", 405],
    ["PUT", "/", 405],
    ["DELETE", "/x", 405],
    ["OPTIONS", "/", 405],
    ["TRACE", "/", 405],
  ];
  for (const [method, path, expected] of requests) {
    test(`SS-34: ${method} ${path} gets ${expected}`, async () => {
      // The URL parser would resolve the path.
      const { status, headers } = await ask(rig.endpoint.url, {
        ca: rig.parts.rootPem,
        method,
        path,
      });
      assert.equal(status, expected);
      assert.equal(headers.allow, expected === 405 ? "GET, HEAD" : undefined);
    });
  }

  test("is served to a proxy that sends the whole URL, and beside a body that nobody waits for", async () => {
    const ca = rig.parts.rootPem;
    const whole = await ask(rig.endpoint.url, { ca, path: "https://bundle.example/" });
    assert.equal(whole.status, 200);
    const bare = await ask(rig.endpoint.url, { ca, path: "https://bundle.example" });
    assert.equal(bare.status, 200);
    const headers = { "content-length": "1000000" };
    const socket = await openTls();
    socket.write(
      `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ${headers["content-length"]}\r\n\r\n`,
    );
    const said = await readAll(socket);
    assert.match(said, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(said, /\r\nconnection: close\r\n/i);
  });
});

describe("the endpoint's certificate", () => {
  test("FED-11: is an X509-SVID of the control plane, and has names for others", async () => {
    const { certificate } = await get();
    const parsed = parseCertificate(certificate);
    assert.deepEqual(parsed.uris, [ENDPOINT_ID]);
    assert.deepEqual(parsed.dnsNames, ["localhost"]);
    assert.deepEqual(parsed.ipAddresses.map(hex), ["7f000001"]);
    assert.equal(parsed.isCa, false);
    assert.equal(parsed.extendedKeyUsages.length, 2);
    assert.equal(parsePublicKey(parsed.spki).type, "ec-p256");
    assert.equal(Math.round((parsed.notAfterMs - Date.now()) / 3_600_000), 24);
    const [root = new Uint8Array()] = rig.parts.trust.current.bundle.roots;
    opensslVerify(root, [certificate], Date.now());
    opensslVerify(root, [certificate], Date.now(), ["-purpose", "sslserver"]);
  });

  test("FED-9: is all that s_client needs: no client certificate is asked for", async () => {
    const said = await sClient("-verify_return_error", "-verify_ip", "127.0.0.1");
    assert.match(said, /Verify return code: 0 \(ok\)/);
    assert.match(said, /No client certificate CA names sent/);
    assert.match(said, /HTTP\/1\.1 200 OK/);
    assert.doesNotMatch(said, /Acceptable client certificate/);
  });

  test("FED-6: is shown over TLS 1.2 and 1.3 with AEAD ciphers, and over nothing older", async () => {
    assert.match(await sClient("-tls1_2"), /HTTP\/1\.1 200 OK/);
    assert.match(await sClient("-tls1_3"), /HTTP\/1\.1 200 OK/);
    const old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    const cbc = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"];
    for (const args of [old, cbc]) {
      const said = await sClient(...args);
      assert.match(said, /alert (?:protocol version|handshake failure)/);
      assert.doesNotMatch(said, /HTTP\/1\.1/);
    }
  });

  test("is made anew with the names of now when the endpoint is told to renew", async () => {
    const before = parseCertificate((await get()).certificate);
    const { settings } = rig;
    settings.names = [...settings.names, "bundle.example"];
    await rig.endpoint.renew();
    const { dnsNames, serialHex } = parseCertificate((await get()).certificate);
    assert.deepEqual(dnsNames, ["localhost", "bundle.example"]);
    assert.notEqual(serialHex, before.serialHex);
  });

  test("stays when the endpoint is told to renew and nothing has changed", async () => {
    const renewals = () =>
      rig.parts.lines.filter(({ event }) => event === "bundle-certificate-renewed").length;
    const [before, { certificate }] = [renewals(), await get()];
    await rig.endpoint.renew();
    assert.deepEqual((await get()).certificate, certificate);
    assert.equal(renewals(), before);
  });

  test("stays when a new one cannot be made, and the log says why", async () => {
    const { certificate } = await get();
    rig.parts.advance(20 * 365 * 86_400_000);
    await rig.endpoint.renew();
    rig.parts.advance(-20 * 365 * 86_400_000);
    assert.deepEqual((await get()).certificate, certificate);
    const line = rig.parts.lines.find(({ event }) => event === "bundle-certificate-failed");
    assert.equal(line?.["reason"], "issuer-expired");
  });
});

test("the endpoint's certificate is renewed at half of its life", async ({ mock }) => {
  mock.timers.enable({ apis: ["setInterval"] });
  await using own = await startBundleRig();
  const serial = async (): Promise<string> => {
    // It is not valid yet by the clock of this process.
    const { certificate } = await ask(own.endpoint.url, { rejectUnauthorized: false });
    return parseCertificate(certificate).serialHex;
  };
  const first = await serial();
  own.parts.advance(11.9 * 3_600_000);
  mock.timers.tick(60_000);
  assert.equal(await serial(), first);
  own.parts.advance(0.2 * 3_600_000);
  mock.timers.tick(60_000);
  await eventually(async () => (await serial()) !== first);
});

describe("a change", () => {
  test("of the refresh hint is in the next answer, under another tag", async () => {
    const before = await get();
    rig.settings.refreshHintSeconds = 60;
    const { headers, body } = await get();
    assert.equal(parseBundleDocument(body).refreshHintSeconds, 60);
    assert.equal(headers["cache-control"], "max-age=60");
    assert.notEqual(headers.etag, before.headers.etag);
  });

  test("of the trust is in the next answer, and soon in the certificate", async () => {
    const { current } = rig.parts.trust;
    const before = await get();
    const root = await createRoot({
      trustDomain: "cluster.local",
      keyType: "p256",
      serial: randomBytes(16),
      nowMs: Date.now(),
    });
    const { trustDomain, roots, jwtKeys } = current.bundle;
    const bundle = trustBundle(trustDomain, 2n, [...roots, root.certificate], jwtKeys);
    rig.parts.trust.replace({ ...current, bundle });
    const next = await get("/", { headers: { "if-none-match": before.headers.etag } });
    assert.equal(next.status, 200);
    assert.equal(parseBundleDocument(next.body).sequence, 2n);
    assert.equal(parseBundleDocument(next.body).roots.length, 2);
    await eventually(
      async () => !Buffer.from((await get()).certificate).equals(before.certificate),
    );
  });
});

describe("a stranger", () => {
  test("who sends what is no request gets an error at most, and nobody else notices", async () => {
    const whole = "GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: x\r\n\r\n";
    const statuses = new Set<string>();
    for (let round = 0; round < 200; round++) {
      const socket = await openTls();
      socket.write(round % 2 === 0 ? randomBytes(round + 1) : mutate(whole, round));
      socket.end();
      const [, status = "none"] = /^HTTP\/1\.1 (\d{3})/.exec(await readAll(socket)) ?? [];
      statuses.add(status);
    }
    const allowed = new Set(["none", "200", "400", "404", "405", "408", "431"]);
    assert.deepEqual(
      [...statuses].filter((status) => !allowed.has(status)),
      [],
    );
    assert.equal((await get()).status, 200);
  });

  test("who sends a header of 16 KiB is refused", async () => {
    const { status } = await get("/", { headers: { "x-a": "a".repeat(16_384) } });
    assert.equal(status, 431);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function mutate(text: string, seed: number): Buffer {
  const bytes = Buffer.from(text);
  for (const [index, value] of randomBytes(1 + (seed % 5)).entries()) {
    bytes[(value * 31 + index * 7) % bytes.length] = value;
  }
  return bytes;
}

async function openTls() {
  const socket = connect({ host: "127.0.0.1", port: rig.port, ca: rig.parts.rootPem });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

async function readAll(socket: ReturnType<typeof connect>): Promise<string> {
  let said = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
  if (!socket.closed) await once(socket, "close");
  return said;
}

/** What one request by `openssl s_client` ends with. */
async function sClient(...args: readonly string[]): Promise<string> {
  const caFile = join(rig.parts.directory, "s-client-ca.pem");
  writeFileSync(caFile, rig.parts.rootPem);
  const target = ["-connect", `127.0.0.1:${rig.port}`, "-CAfile", caFile];
  const client = spawn("openssl", ["s_client", "-ign_eof", ...target, ...args], { stdio: "pipe" });
  let said = "";
  client.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  client.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  client.stdin.on("error", () => {});
  client.stdin.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  await once(client, "close");
  return said;
}
