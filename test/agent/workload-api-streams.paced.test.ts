/** The streams of the Workload API: what they say when something changes, when nothing does, and at the end. */

import { fromBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import {
  SpiffeWorkloadAPI,
  X509SVIDResponseSchema,
} from "../../src/gen/spiffe/workload/workload_pb.ts";
import { runVerb as runInProcess } from "../server/portcullis-process.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { TestAgent } from "../support/agent.ts";
import { makeAuthority } from "../support/authority.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { makeTokenKey } from "../support/tokens.ts";
import { WorkloadApiRig, WorkloadClient } from "./workload-api-rig.ts";

const { fetchX509SVID, fetchX509Bundles, fetchJWTBundles } = SpiffeWorkloadAPI.method;
const streams = [fetchX509SVID, fetchX509Bundles, fetchJWTBundles];
const trustDomain = "spiffe://cluster.local";

describe("with a set in the test's hands, a stream", () => {
  let rig: WorkloadApiRig;
  let client: WorkloadClient;
  beforeEach(async () => {
    rig = await WorkloadApiRig.start();
    client = rig.client();
  });
  afterEach(async () => {
    client[Symbol.dispose]();
    await rig[Symbol.asyncDispose]();
  });

  test("of SVIDs says each new certificate, and those of bundles are silent", async () => {
    using svids = client.open(fetchX509SVID);
    using bundles = client.open(fetchX509Bundles);
    using keys = client.open(fetchJWTBundles);
    const first = await svids.next();
    await bundles.next();
    await keys.next();
    rig.set = await rig.makeSet(86_400, rig.set?.bundle);
    const second = await svids.next();
    assert.notDeepEqual(second.svids[0]?.x509SvidKey, first.svids[0]?.x509SvidKey);
    await bundles.assertSilent();
    await keys.assertSilent();
  });

  test("of X.509 says new roots, all of them, beside the SVID's", async () => {
    using svids = client.open(fetchX509SVID);
    using bundles = client.open(fetchX509Bundles);
    using keys = client.open(fetchJWTBundles);
    await Promise.all([svids.next(), bundles.next(), keys.next()]);
    const { root } = await makeAuthority("p256", Date.now());
    const held = rig.set?.bundle ?? assert.fail();
    const bundle = trustBundle(held.trustDomain, 2n, [...held.roots, root], held.jwtKeys);
    rig.set = rig.set && { ...rig.set, bundle };
    const ders = Buffer.concat(bundle.roots);
    assert.deepEqual(Buffer.from((await bundles.next()).bundles[trustDomain] ?? []), ders);
    assert.deepEqual(Buffer.from((await svids.next()).svids[0]?.bundle ?? []), ders);
    await keys.assertSilent();
  });

  test("of JWT keys says new keys, and those of X.509 are silent", async () => {
    using svids = client.open(fetchX509SVID);
    using bundles = client.open(fetchX509Bundles);
    using keys = client.open(fetchJWTBundles);
    await Promise.all([svids.next(), bundles.next(), keys.next()]);
    const bundle = rig.bundle(2n, rig.jwtKey, makeTokenKey("ES256", "jwt-2"));
    rig.set = rig.set && { ...rig.set, bundle };
    const { keys: jwks } = JSON.parse(
      Buffer.from((await keys.next()).bundles[trustDomain] ?? []).toString(),
    ) as { readonly keys: readonly { readonly kid: string }[] };
    assert.deepEqual(
      jwks.map(({ kid }) => kid),
      ["jwt-1", "jwt-2"],
    );
    await svids.assertSilent();
    await bundles.assertSilent();
  });

  test("says nothing of a new sequence with the same contents", async () => {
    const open = streams.map((method) => client.open(method));
    await Promise.all(open.map(async (stream) => stream.next()));
    rig.set = rig.set && { ...rig.set, bundle: rig.bundle(2n, rig.jwtKey) };
    await Promise.all(open.map(async (stream) => stream.assertSilent()));
    for (const stream of open) stream[Symbol.dispose]();
  });

  test("ends at the moment when the certificate expires, and none opens after it", async () => {
    rig.set = await rig.makeSet(2, rig.set?.bundle);
    const notAfterMs = rig.set.certificate.notAfterMs;
    const open = streams.map((method) => client.open(method));
    await Promise.all(open.map(async (stream) => stream.next()));
    const ends = await Promise.all(open.map(async (stream) => stream.ended()));
    const lateMs = Date.now() - notAfterMs;
    assert.deepEqual(
      ends,
      open.map(() => status.UNAVAILABLE),
    );
    assert.ok(lateMs >= 0 && lateMs < 500, `${lateMs} ms after the end`);
    for (const method of streams) {
      await assert.rejects(client.call(method, {}), { code: status.UNAVAILABLE });
    }
  });

  test("ends, too, when the certificate expires between two looks at it", async () => {
    const set = await rig.makeSet(86_400, rig.set?.bundle);
    rig.set = set;
    using stream = client.open(fetchX509SVID);
    await stream.next();
    // As a timer does that fires a millisecond early: it is valid still at the first look, and at no other.
    rig.aheadMs = set.certificate.notAfterMs - Date.now() - 500;
    let looks = 0;
    rig.onLook = () => {
      looks += 1;
      if (looks === 2) rig.aheadMs += 500;
    };
    rig.set = set;
    assert.equal(await stream.ended(), status.UNAVAILABLE);
  });

  test("is refused when there are 256, and opens when one of them has ended", async () => {
    using stack = new DisposableStack();
    // One connection has no room for so many.
    const clients = Array.from({ length: 4 }, () => stack.use(rig.client()));
    const open = clients.flatMap((each) =>
      Array.from({ length: 64 }, (_, at) =>
        stack.use(each.open(streams[at % streams.length] ?? fetchX509SVID)),
      ),
    );
    await Promise.all(open.map(async (stream) => stream.next()));
    await assert.rejects(client.call(fetchX509SVID, {}), { code: status.UNAVAILABLE });
    open[0]?.[Symbol.dispose]();
    await eventually(async () =>
      client.call(fetchX509SVID, {}).then(
        () => true,
        () => false,
      ),
    );
  });

  test("that is not read gets the newest when it is, and nothing of what was in between", async () => {
    using reader = await SlowReader.open(rig.socket);
    let newest = "";
    const rounds = 60;
    for (let round = 0; round < rounds; round++) {
      rig.set = await rig.makeSet(86_400, rig.set?.bundle);
      newest = rig.set.certificate.serialHex;
    }
    reader.read();
    const serials = await eventually(() => {
      const serials = reader.serials();
      return serials.at(-1) === newest && serials;
    });
    // Node's own stream takes 16 KiB before anybody reads; the rest was never sent.
    assert.ok(serials.length <= rounds / 3, `got ${serials.length} of ${rounds + 1}`);
  });

  test("is written to files by svid fetch --watch, at each change until it is interrupted", async () => {
    using out = temporaryDirectory();
    const stopping = new AbortController();
    let said = "";
    const running = runCli(
      ["svid", "fetch", "--workload-api", rig.socket, "--watch", "--out", out.path],
      {
        stdout: { write: (text) => (said += text) },
        stderr: { write: (text) => (said += text) },
        env: {},
        signal: stopping.signal,
        nowMs: Date.now,
        isTty: false,
        columns: 80,
        registry: REGISTRY,
      },
    );
    const lines = (): number => said.split("\n").length - 1;
    for (let count = 1; count <= 3; count++) {
      await eventually(() => lines() === count);
      const file = (name: string): string => readFileSync(join(out.path, name), "utf8");
      const leaf = new X509Certificate(file("svid.pem"));
      assert.equal(leaf.serialNumber.toLowerCase(), rig.set?.certificate.serialHex);
      assert.ok(leaf.checkPrivateKey(createPrivateKey(file("key.pem"))));
      rig.set = await rig.makeSet(86_400, rig.set?.bundle);
    }
    await eventually(() => lines() === 4);
    stopping.abort();
    assert.equal(await running, 0);
  });
});

for (const [flags, reason] of [
  [["--workload-api", "/x.sock", "--server", "ca:1"], "does not go with --server"],
  [["--workload-api", "/x.sock", "--ttl", "1h"], "does not go with --ttl"],
  [["--watch"], "expected --workload-api SOCKET"],
  [["--watch", "-n", "shop", "-s", "cart"], "expected --workload-api SOCKET"],
] as const) {
  test(`svid fetch refuses ${flags.join(" ")}`, async () => {
    const { status, stderr } = await runInProcess(["svid", "fetch", "--out", "/nowhere", ...flags]);
    assert.equal(status, 2);
    assert.ok(stderr.includes(reason), stderr);
  });
}

test("an agent's renewal and its server's new bundle reach whoever listens", async () => {
  await using ca = await ScriptedCa.start();
  using directory = temporaryDirectory();
  ca.ttlSeconds = 4;
  await using agent = await TestAgent.start({
    directory: directory.path,
    server: ca.address,
    serverRoot: ca.rootPem,
  });
  await agent.untilCount("certificate-received", 1);
  using client = new WorkloadClient(agent.socketPath);
  using svids = client.open(fetchX509SVID);
  using keys = client.open(fetchJWTBundles);
  const first = await svids.next();
  await keys.next();
  const second = await svids.next();
  assert.notDeepEqual(second.svids[0]?.x509Svid, first.svids[0]?.x509Svid);
  await agent.untilCount("mesh-connected", 1);
  const { publicKey } = makeTokenKey("ES256", "jwt-1");
  const spki = publicKey.export({ format: "der", type: "spki" });
  const { trustDomain: td, roots } = ca.authority.bundle;
  ca.push(trustBundle(td, 2n, roots, [{ keyId: "jwt-1", spki }]));
  const { bundles } = await keys.next();
  assert.match(Buffer.from(bundles[trustDomain] ?? []).toString(), /"kid":"jwt-1"/);
});

/** A client with a window of a few bytes, which takes nothing until it is told to. */
class SlowReader implements Disposable {
  readonly #session: ReturnType<typeof connectHttp2>;
  #received: Buffer = Buffer.alloc(0);

  private constructor(socket: string) {
    this.#session = connectHttp2("http://localhost", {
      createConnection: () => connect(socket),
      settings: { initialWindowSize: 16 },
    });
  }

  static async open(socket: string): Promise<SlowReader> {
    const reader = new SlowReader(socket);
    await once(reader.#session, "remoteSettings");
    const stream = reader.#session.request({
      ":method": "POST",
      ":path": "/SpiffeWorkloadAPI/FetchX509SVID",
      "content-type": "application/grpc",
      te: "trailers",
      "workload.spiffe.io": "true",
    });
    stream.on("data", (bytes: Buffer) => {
      reader.#received = Buffer.concat([reader.#received, bytes]);
    });
    stream.on("error", () => {});
    stream.end(Buffer.alloc(5));
    await once(stream, "response");
    stream.pause();
    reader.read = () => {
      reader.#session.settings({ initialWindowSize: 1_048_576 });
      stream.resume();
    };
    return reader;
  }

  read: () => void = () => {};

  /** Of the leaf in each message that has come whole. */
  serials(): readonly string[] {
    const serials: string[] = [];
    let rest = this.#received;
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      const { svids } = fromBinary(X509SVIDResponseSchema, rest.subarray(5, end));
      const leaf = new X509Certificate(Buffer.from(svids[0]?.x509Svid ?? []));
      serials.push(leaf.serialNumber.toLowerCase());
      rest = rest.subarray(end);
    }
    return serials;
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}
