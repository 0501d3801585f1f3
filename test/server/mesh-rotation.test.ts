/** What a rotation knows of agents over restarts, over goodbyes, and of those who speak for others. */

import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fetchRootStatus } from "../../src/edge/rpc/root-client.ts";
import { HeldLeafSchema, type HeldLeaf } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import {
  eventually,
  scrape,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { meshIdentity, type MeshIdentity, type MeshStream } from "./mesh-client.ts";
import {
  command,
  confirming,
  digestOf,
  join as joinMesh,
  laggards,
  prepare,
  report,
  serialOf,
  spiffeId,
  status,
} from "./mesh-evidence-rig.ts";

const agentOf = (name: string): string => `agent/${name}@${spiffeId(name)}`;

async function confirmed(
  it: TestControlPlane,
  identity: MeshIdentity,
  agentId: string,
): Promise<MeshStream> {
  const stream = await joinMesh(it, identity, agentId);
  await report(stream, confirming(digestOf(it)));
  return stream;
}

test("a restart forgets every confirmation, and knows from the log who has to give one", async () => {
  using directory = temporaryDirectory();
  const flags = { "data-dir": directory.path };
  const [cart, pay] = await (async () => {
    await using it = await startControlPlane({ flags });
    const cart = await meshIdentity(it, "cart", 600, "cart");
    const pay = await meshIdentity(it, "pay", 600, "pay");
    await prepare(it);
    using streams = new DisposableStack();
    streams.use(await confirmed(it, cart, "cart"));
    streams.use(await confirmed(it, pay, "pay"));
    assert.deepEqual(await laggards(it), []);
    return [cart, pay];
  })();
  await using it = await startControlPlane({ flags });
  assert.deepEqual(await laggards(it), [
    `${agentOf("cart")} never-connected`,
    `${agentOf("pay")} never-connected`,
  ]);
  using streams = new DisposableStack();
  streams.use(await confirmed(it, cart, "cart"));
  assert.deepEqual(await laggards(it), [`${agentOf("pay")} never-connected`]);
  assert.equal(await command(it, { kind: "activate" }), "verifiers-lagging");
  streams.use(await confirmed(it, pay, "pay"));
  assert.equal(await command(it, { kind: "activate" }), "done");
});

test("a gate is closed while the log is read, and says so", async () => {
  await using it = await startControlPlane();
  await meshIdentity(it, "cart");
  const { verifiers } = await fetchRootStatus(it.controlPlane.endpoints.admin, 0);
  assert.deepEqual(
    verifiers?.laggards.map(({ name, reason }) => `${name} ${reason}`),
    ["server/rebuilding rebuilding"],
  );
  assert.deepEqual((await laggards(it)).length, 0);
});

test("an agent that has said Goodbye is waited for no more, a restart included", async () => {
  using directory = temporaryDirectory();
  const flags = { "data-dir": directory.path };
  {
    await using it = await startControlPlane({ flags });
    const cart = await meshIdentity(it, "cart", 600, "cart");
    await meshIdentity(it, "pay", 600, "pay");
    await prepare(it);
    using stream = await joinMesh(it, cart, "cart");
    stream.send({ case: "goodbye", value: {} });
    assert.equal((await stream.ended).code, 0);
    assert.deepEqual(await laggards(it), [`${agentOf("pay")} never-connected`]);
    // Its certificate is a holder all the same, as the server's own is: whoever copied the key may use it.
    const { holders } = await status(it);
    assert.deepEqual(
      holders.map(({ unexpired }) => unexpired),
      [3n, 0n],
    );
  }
  await using it = await startControlPlane({ flags });
  assert.deepEqual(await laggards(it), [`${agentOf("pay")} never-connected`]);
  // A certificate from after it is waited for again.
  await meshIdentity(it, "cart", 600, "cart");
  assert.deepEqual(await laggards(it), [
    `${agentOf("cart")} never-connected`,
    `${agentOf("pay")} never-connected`,
  ]);
});

test("a retirement waits for every certificate under the old root, and for the clocks' difference", async () => {
  await using it = await startControlPlane();
  using stream = await joinMesh(it, await meshIdentity(it, "cart", 600, "cart"), "cart", -7_000);
  await prepare(it);
  await report(stream, confirming(digestOf(it)));
  assert.equal(await command(it, { kind: "activate" }), "done");
  assert.equal(await command(it, { kind: "retire" }), "holders-left");
  const { holders, skewMs, authorities } = await status(it);
  const retiring = authorities.find(({ state }) => state === "retiring")?.id;
  const held = holders.find(({ authorityId }) => authorityId === retiring);
  assert.deepEqual([held?.unexpired, held?.named.length], [1n, 1]);
  assert.ok(skewMs >= 7_000n && skewMs < 9_000n, String(skewMs));
  const samples = await scrape(it);
  assert.equal(samples.get(`portcullis_holders{authority="${retiring}"}`), 1);
  assert.equal(samples.get("portcullis_rotation_verifiers"), 2);
  assert.equal(samples.get("portcullis_rotation_laggards"), 0);
  it.advance(604_000);
  assert.equal(await command(it, { kind: "retire" }), "holders-left");
  it.advance(6_000);
  assert.equal(await command(it, { kind: "retire" }), "done");
});

test("a clock that is set forward ends no certificate, and opens no gate", async () => {
  await using it = await startControlPlane();
  await prepare(it);
  await meshIdentity(it, "plain");
  assert.equal(await command(it, { kind: "activate" }), "done");
  it.jump(90 * 86_400_000);
  assert.equal(await command(it, { kind: "retire" }), "holders-left");
  const found = await fetchRootStatus(it.controlPlane.endpoints.admin, 10);
  assert.deepEqual(
    found.verifiers?.laggards.map(({ name }) => name),
    ["server/clock"],
  );
});

test("what comes on a leaked authority's streams is no evidence, and they are asked to renew", async () => {
  await using it = await startControlPlane();
  const first = it.controlPlane.trust.authority.signer.id;
  const identity = await meshIdentity(it, "cart", 600, "cart");
  using stream = await joinMesh(it, identity, "cart");
  stream.send({ case: "leaves", value: { full: true, held: [heldBy(identity, 600)] } });
  await prepare(it);
  await report(stream, confirming(digestOf(it)));
  assert.equal(await command(it, { kind: "activate" }), "done");
  assert.equal(await command(it, { kind: "compromise", authorityId: first }), "done");
  stream.report(confirming(digestOf(it)));
  await eventually(() => stream.received.some(({ message }) => message.case === "renew"));
  const proxy = `proxy/p@${spiffeId("cart")} not-connected`;
  assert.deepEqual(await laggards(it), [`${agentOf("cart")} not-connected`, proxy]);
  const renewed = await meshIdentity(distrusting(it), "cart", 600, "cart");
  using newer = await joinMesh(distrusting(it), renewed, "cart");
  await report(newer, confirming(digestOf(it)));
  assert.deepEqual(await laggards(it), []);
});

test("certificates of an authority that is distrusted hang on no other root", async () => {
  await using it = await startControlPlane();
  const first = it.controlPlane.trust.authority.signer.id;
  await prepare(it);
  // Under the old root still, and after the new bundle was out.
  await meshIdentity(it, "plain");
  assert.equal(await command(it, { kind: "activate" }), "done");
  const second = it.controlPlane.trust.authority.signer.id;
  assert.equal(await command(it, { kind: "compromise", authorityId: first }), "done");
  await meshIdentity(distrusting(it), "plain");
  assert.equal(await command(it, { kind: "prepare", source: {} }), "done");
  await meshIdentity(distrusting(it), "plain");
  const { holders } = await status(it);
  const hanging = holders.find(({ authorityId }) => authorityId === second);
  // Two were signed by the second, and one by the first; the server's own hangs on it as well.
  assert.deepEqual(
    hanging?.named.map(({ kind }) => kind),
    ["server", "certificate", "certificate"],
  );
});

test("a restart does not forget how far agents' clocks are off", async () => {
  using directory = temporaryDirectory();
  const flags = { "data-dir": directory.path };
  {
    await using it = await startControlPlane({ flags });
    using stream = await joinMesh(it, await meshIdentity(it, "cart"), "cart", -90_000);
    assert.ok(stream.received.length > 0);
  }
  await using it = await startControlPlane({ flags });
  assert.ok(((await status(it)).skewMs ?? 0n) >= 90_000n);
});

test("agents are asked to renew at the pace that is set, those first whose certificates end first", async () => {
  await using it = await startControlPlane({ flags: { "reissue-per-second": "10" } });
  const streams = await Promise.all(
    [700, 600, 500].map(async (ttl, index) => {
      const name = `w-${index}`;
      const identity = await meshIdentity(it, name, ttl, name);
      const stream = await joinMesh(it, identity, name);
      const made = heldBy(identity, ttl);
      const foreign = create(HeldLeafSchema, { ...made, serial: Uint8Array.of(9, index + 1) });
      stream.send({ case: "leaves", value: { full: true, held: [made, foreign] } });
      return { stream, identity };
    }),
  );
  await prepare(it);
  for (const { stream } of streams) await report(stream, confirming(digestOf(it)));
  const order: number[] = [];
  const asked = ({ stream }: (typeof streams)[number]): readonly Uint8Array[] =>
    stream.received.flatMap(({ message }) =>
      message.case === "renew" ? message.value.serials : [],
    );
  const begunMs = performance.now();
  assert.equal(await command(it, { kind: "activate" }), "done");
  await eventually(() => {
    for (const [index, each] of streams.entries()) {
      if (asked(each).length > 0 && !order.includes(index)) order.push(index);
    }
    return order.length === 3;
  });
  // Two at once at most, and the third in the next fifth of a second.
  assert.notEqual(order[0], 0);
  assert.ok(performance.now() - begunMs > 90);
  for (const each of streams)
    assert.deepEqual(asked(each).map(hex), [hex(serialOf(each.identity))]);
  assert.equal((await status(it)).reissue?.left, 3n);
  for (const { stream } of streams) stream[Symbol.dispose]();
});

test("nobody is asked to renew what a CA of an operator's signs, which names its key in its own way", async () => {
  using directory = temporaryDirectory();
  const pki = new OpensslPki(directory.path);
  const root = pki.root("operator");
  const fromDir = pki.directory({
    "ca-cert.pem": root.certPem,
    "ca-key.pem": root.keyPem,
    "root-cert.pem": root.certPem,
  });
  await using it = await startControlPlane();
  const identity = await meshIdentity(it, "cart", 600, "cart");
  using stream = await joinMesh(it, identity, "cart");
  const tell = (held: MeshIdentity): void =>
    stream.send({ case: "leaves", value: { full: true, held: [heldBy(held, 600)] } });
  const left = async (): Promise<bigint | undefined> => (await status(it)).reissue?.left;
  assert.equal(await command(it, { kind: "prepare", source: { fromDir } }), "done");
  await report(stream, confirming(digestOf(it)));
  assert.equal(await command(it, { kind: "activate" }), "done");
  tell(identity);
  await eventually(async () => (await left()) === 1n);
  tell(await meshIdentity(distrusting(it), "cart", 700, "cart"));
  await eventually(async () => (await left()) === 0n);
});

/** As who knows the roots of now, and no others. */
function distrusting(it: TestControlPlane): TestControlPlane {
  return { ...it, rootPem: readFileSync(join(it.config.dataDir, "root-cert.pem"), "utf8") };
}

function heldBy(identity: MeshIdentity, ttlSeconds: number): HeldLeaf {
  const notAfter = timestampFromMs(Date.now() + ttlSeconds * 1_000);
  return create(HeldLeafSchema, { serial: serialOf(identity), notAfter });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
