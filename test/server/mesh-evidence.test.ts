/** What counts as a confirmation of a bundle, on a real server, and what does not. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { meshIdentity, type MeshStream } from "./mesh-client.ts";
import {
  certificate,
  command,
  confirming,
  digestOf,
  join,
  laggards,
  prepare,
  report,
  refusal,
  rootca,
  spiffeId,
  status,
  type Report,
} from "./mesh-evidence-rig.ts";

type Digest = Uint8Array<ArrayBuffer>;

const agent = `agent/a1@${spiffeId("cart")}`;
const proxy = `proxy/p@${spiffeId("cart")}`;

interface Scene extends AsyncDisposable {
  readonly it: TestControlPlane;
  readonly old: Digest;
  readonly present: Digest;
  /** Of an agent whose only proxy has confirmed the old bundle. */
  readonly stream: MeshStream;
}

/** Where a root has been prepared. */
async function openScene(): Promise<Scene> {
  await using owned = new AsyncDisposableStack();
  const it = owned.use(await startControlPlane());
  const old = digestOf(it);
  const identity = await meshIdentity(it, "cart", 600, "a1");
  const stream = owned.use(await join(it, identity, "a1"));
  await report(stream, confirming(old));
  await prepare(it);
  const rest = owned.move();
  const dispose = () => rest.disposeAsync();
  return { it, old, present: digestOf(it), stream, [Symbol.asyncDispose]: dispose };
}

describe("no confirmation of a bundle", () => {
  const holding = (
    { present }: Scene,
    ...subscriptions: readonly ReturnType<typeof rootca>[]
  ): Report => ({
    sequence: 1n,
    full: true,
    heldRootsDigest: present,
    proxies: [{ proxyId: "p", subscriptions: [...subscriptions] }],
  });
  const cases: readonly (readonly [string, (scene: Scene) => Report, string])[] = [
    [
      "is an acknowledgement of the old bundle",
      (scene) => holding(scene, rootca(scene.old), certificate()),
      `${proxy} old-bundle`,
    ],
    [
      "is an acknowledgement of the old bundle that has the new one's sequence",
      (scene) => holding(scene, { ...rootca(scene.old), bundleSequence: 2n }),
      `${proxy} old-bundle`,
    ],
    [
      "is an acknowledgement of these roots from before they were withdrawn and trusted again",
      (scene) => holding(scene, { ...rootca(scene.present), bundleSequence: 1n }),
      `${proxy} old-bundle`,
    ],
    [
      "is an acknowledgement of an empty response",
      (scene) => holding(scene, rootca(), certificate()),
      `${proxy} not-acknowledged`,
    ],
    [
      "is an open stream",
      (scene) => holding(scene, { streamId: 1n, resourceName: "ROOTCA" }, certificate()),
      `${proxy} not-acknowledged`,
    ],
    [
      "is one of two subscriptions",
      (scene) => holding(scene, rootca(scene.present), rootca(scene.old, 2n), certificate()),
      `${proxy} old-bundle`,
    ],
    [
      "is an acknowledgement before a refusal",
      (scene) => holding(scene, { ...rootca(scene.present), ...refusal() }, certificate()),
      `${proxy} refused`,
    ],
    [
      "is the word of a proxy whose agent holds the old one",
      (scene) => ({ ...holding(scene, rootca(scene.present)), heldRootsDigest: scene.old }),
      `${agent} old-bundle`,
    ],
    [
      "is the word of a proxy whose agent held these roots before they were withdrawn",
      (scene) => ({ ...holding(scene, rootca(scene.present)), heldBundleSequence: 1n }),
      `${agent} old-bundle`,
    ],
    [
      "is the word of a proxy whose agent does not say what it holds",
      (scene) => ({ ...holding(scene, rootca(scene.present)), heldRootsDigest: new Uint8Array() }),
      `${agent} not-acknowledged`,
    ],
  ];
  for (const [title, made, expected] of cases) {
    test(title, async () => {
      await using scene = await openScene();
      const { it, stream, present } = scene;
      await report(stream, made(scene));
      assert.deepEqual(await laggards(it), [expected]);
      assert.equal(await command(it, { kind: "activate" }), "verifiers-lagging");
      const all = [rootca(present), rootca(present, 2n), certificate()];
      await report(stream, holding(scene, ...all));
      assert.deepEqual(await laggards(it), []);
    });
  }

  test("is an acknowledgement of the certificate", async () => {
    await using scene = await openScene();
    const proxies = [{ proxyId: "q", subscriptions: [certificate()] }];
    await report(scene.stream, { sequence: 2n, heldRootsDigest: scene.present, proxies });
    const [, other] = await laggards(scene.it);
    assert.equal(other, `proxy/q@${spiffeId("cart")} no-trust-bundle`);
  });

  test("is one that an agent gave before it went away, or came back on the old bundle", async () => {
    await using scene = await openScene();
    const { it, old, present } = scene;
    await report(scene.stream, confirming(present));
    assert.deepEqual(await laggards(it), []);
    await scene.stream.close();
    assert.deepEqual(await laggards(it), [`${agent} not-connected`, `${proxy} not-connected`]);
    using stream = await join(it, await meshIdentity(it, "cart", 600, "a1"), "a1");
    await report(stream, confirming(old));
    assert.deepEqual(await laggards(it), [`${agent} old-bundle`, `${proxy} old-bundle`]);
    await report(stream, confirming(present));
    assert.equal(await command(it, { kind: "activate" }), "done");
  });
});

describe("owners of certificates", () => {
  let it: TestControlPlane;
  before(async () => {
    it = await startControlPlane();
  });
  after(() => it[Symbol.asyncDispose]());

  test("without a stream are waited for, those without an agent by the certificate", async () => {
    await meshIdentity(it, "plain");
    const agents = await meshIdentity(it, "cart", 600, "a1");
    await prepare(it);
    const [never, plain, ...others] = await laggards(it);
    assert.equal(never, `${agent} never-connected`);
    assert.match(plain ?? "", /^leaf\/[0-9a-f]+ not-renewed$/);
    assert.deepEqual(others, []);
    // A later one may be another client's of the same pod: it confirms itself, and ends no wait.
    await meshIdentity(it, "plain");
    assert.deepEqual(await laggards(it), [never, plain]);
    const { verifiers } = await status(it);
    assert.deepEqual([verifiers?.confirmed, verifiers?.weak], [1n, 1n]);

    // Whoever calls itself by that name, and is somebody else, confirms nobody.
    const digest = digestOf(it);
    const foreign = await meshIdentity(it, "pay", 600, "a1");
    using stream = await join(it, foreign, "a1");
    await report(stream, confirming(digest));
    assert.deepEqual(await laggards(it), [never, plain]);
    using own = await join(it, agents, "a1");
    await report(own, confirming(digest));
    assert.deepEqual(await laggards(it), [plain]);
  });
});
