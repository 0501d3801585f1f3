/** What agents call themselves, and whom that speaks for. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { startControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { entryOf, signBatch, tokenOf } from "./batch-rig.ts";
import { meshIdentity, openMeshStream } from "./mesh-client.ts";
import {
  certificate,
  command,
  digestOf,
  join as joinMesh,
  laggards,
  prepare,
  report,
  rootca,
  spiffeId,
} from "./mesh-evidence-rig.ts";

const flags = { "node-agent": spiffeId("node") };
const ofNode = (name: string): string => `agent/node/n1@${spiffeId(name)}`;

function proxiesOf(digest: Uint8Array<ArrayBuffer>, ...names: readonly string[]) {
  return names.map((name) => ({
    proxyId: "p",
    spiffeId: spiffeId(name),
    subscriptions: [rootca(digest), certificate()],
  }));
}

describe("a node agent", () => {
  test("confirms for those only whose tokens it has shown, and of whom all was kept", async () => {
    await using it = await startControlPlane({ flags });
    const node = await meshIdentity(it, "node", 600, "n1");
    const names = ["cart", "pay", "ship"];
    await signBatch(it, names.map(entryOf), node, "n1");
    const old = digestOf(it);
    await prepare(it);
    using stream = await joinMesh(it, node, "n1");
    stream.send({ case: "tokens", value: { tokens: [tokenOf("cart"), tokenOf("ship")] } });
    const heldRootsDigest = digestOf(it);
    const known = proxiesOf(heldRootsDigest, "cart", "pay");
    const tooMany = Array.from({ length: 65 }, (_, index) => rootca(old, BigInt(index)));
    const proxies = [
      ...known,
      { proxyId: "p", spiffeId: spiffeId("ship"), subscriptions: tooMany },
    ];
    await report(stream, { sequence: 1n, full: true, heldRootsDigest, proxies });
    const ship = `${ofNode("ship")} not-acknowledged`;
    const pay = `${ofNode("pay")} not-acknowledged`;
    assert.deepEqual(await laggards(it), [pay, ship]);
    // A token alone says nothing of proxies that were told of before.
    stream.send({ case: "tokens", value: { tokens: [tokenOf("pay")] } });
    assert.deepEqual(await laggards(it), [pay, ship]);
    const told = {
      full: false,
      heldRootsDigest,
      proxies: proxiesOf(heldRootsDigest, "pay", "ship"),
    };
    await report(stream, { sequence: 2n, ...told });
    assert.deepEqual(await laggards(it), [ship]);
    assert.equal(await command(it, { kind: "activate" }), "verifiers-lagging");
    // What it tells anew from the beginning is all that there is.
    using again = await joinMesh(it, node, "n1");
    again.send({ case: "tokens", value: { tokens: names.map(tokenOf) } });
    const whole = { heldRootsDigest, proxies: proxiesOf(heldRootsDigest, ...names) };
    await report(again, { sequence: 1n, full: true, ...whole });
    assert.deepEqual(await laggards(it), []);
  });

  test("ends by its goodbye what it was given for those whose tokens it shows", async () => {
    using directory = temporaryDirectory();
    const kept = { ...flags, "data-dir": directory.path };
    const left = [
      `${ofNode("pay")} never-connected`,
      `agent/v1@${spiffeId("victim")} never-connected`,
    ];
    {
      await using it = await startControlPlane({ flags: kept });
      const node = await meshIdentity(it, "node", 600, "n1");
      await signBatch(it, ["cart", "pay"].map(entryOf), node, "n1");
      await meshIdentity(it, "victim", 600, "v1");
      await prepare(it);
      using stream = await joinMesh(it, node, "n1");
      stream.send({ case: "tokens", value: { tokens: ["cart", "victim"].map(tokenOf) } });
      stream.send({ case: "goodbye", value: {} });
      assert.equal((await stream.ended).code, 0);
      assert.deepEqual(await laggards(it), left);
    }
    await using it = await startControlPlane({ flags: kept });
    assert.deepEqual(await laggards(it), left);
  });

  test("is nobody's sidecar, however it calls itself", async () => {
    await using it = await startControlPlane({ flags });
    // It asks for its own certificate in that name.
    const node = await meshIdentity(it, "node", 600, "v1");
    await meshIdentity(it, "victim", 600, "v1");
    await prepare(it);
    using stream = await joinMesh(it, node, "v1");
    stream.send({ case: "tokens", value: { tokens: [tokenOf("victim")] } });
    const heldRootsDigest = digestOf(it);
    await report(stream, { sequence: 1n, full: true, heldRootsDigest });
    const victim = [`agent/v1@${spiffeId("victim")} never-connected`];
    assert.deepEqual(await laggards(it), victim);
    stream.send({ case: "goodbye", value: {} });
    assert.equal((await stream.ended).code, 0);
    assert.deepEqual(await laggards(it), victim);
  });
});

describe("a name", () => {
  test("that is made up on a stream is none: it comes with the certificate", async () => {
    await using it = await startControlPlane();
    const cart = await meshIdentity(it, "cart", 600, "a1");
    const pay = await meshIdentity(it, "pay");
    await prepare(it);
    for (const [identity, claimed] of [
      [cart, "x1"],
      [cart, "x2"],
      [pay, "y1"],
      [pay, "y2"],
    ] as const) {
      using stream = await joinMesh(it, identity, claimed);
      await report(stream, { sequence: 1n, full: true });
    }
    const named = (await laggards(it)).filter((name) => name.startsWith("agent/"));
    assert.deepEqual(
      named.map((name) => name.split(" ")[0]),
      [`agent/a1@${spiffeId("cart")}`, `agent/y1@${spiffeId("pay")}`],
    );
  });

  test("of a node's agent is not for anybody else", async () => {
    await using it = await startControlPlane();
    const identity = await meshIdentity(it, "cart", 600, "node/n1");
    await prepare(it);
    assert.deepEqual(
      (await laggards(it)).map((name) => name.split("/")[0]),
      ["leaf"],
    );
    using stream = openMeshStream(it, identity);
    stream.hello("node/n1");
    assert.equal((await stream.ended).code, status.INVALID_ARGUMENT);
  });
});
