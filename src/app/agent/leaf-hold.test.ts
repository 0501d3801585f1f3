import assert from "node:assert/strict";
import { before, beforeEach, mock, test } from "node:test";
import * as fc from "fast-check";
import { makeAuthority, TEST_TRUST_DOMAIN } from "../../../test/support/authority.ts";
import { makeTestLeaf } from "../../../test/support/test-leaf.ts";
import type { SecretEvidence, WorkloadCertificate } from "../../core/envoy/secret.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { trustBundle } from "../../core/spiffe/trust-bundle.ts";
import type { XdsResponse } from "../../core/xds/subscription.ts";
import { holdMsMax } from "./leaf-hold.ts";
import { SecretChannel, type StreamHandle } from "./secret-channel.ts";
import {
  encodeBundleSecrets,
  encodeCertificateSecrets,
  nothingYet,
  secretSnapshot,
} from "./secrets.ts";

const id = SpiffeId.forServiceAccount(TEST_TRUST_DOMAIN, "shop", "cart");
const roots: Uint8Array[] = [];
/** Of the first two roots, by turns. */
const leaves: WorkloadCertificate[] = [];

before(async () => {
  const authorities = [
    await makeAuthority("p256", Date.now()),
    await makeAuthority("p256", Date.now()),
  ];
  const { root: another } = await makeAuthority("p256", Date.now());
  roots.push(...authorities.map(({ root }) => root), another);
  for (const authority of [...authorities, ...authorities]) {
    leaves.push(await makeTestLeaf(authority, id));
  }
});

const none = (): void => {};
let channel: SecretChannel;
let order: string[];

beforeEach(openChannel);

function openChannel(): void {
  order = [];
  const dependencies = {
    nowMs: Date.now,
    streamsMax: 8,
    onEvidence: none,
    onFact: none,
    beforeAnswer: none,
    onBundleFetched: none,
  };
  channel = new SecretChannel(dependencies, nothingYet);
}

function publish(leaf: number, rootCount: number): void {
  const certificate = leaves[leaf];
  assert(certificate !== undefined);
  const bundle = trustBundle(TEST_TRUST_DOMAIN, BigInt(rootCount), roots.slice(0, rootCount));
  const secrets = encodeCertificateSecrets(certificate);
  channel.publish(secretSnapshot(secrets, encodeBundleSecrets(bundle), Date.now()));
}

/** One stream of an Envoy, which answers when it is told to. */
class Stream {
  readonly #names: readonly string[];
  readonly #handle: StreamHandle;
  readonly #unanswered: XdsResponse<SecretEvidence>[] = [];

  /** @param version what it comes back with */
  constructor(names: readonly string[], version = "", nodeId = "proxy-1") {
    this.#names = names;
    this.#handle = channel.open("sotw", {
      send: (response) => {
        order.push(response.resources.map(({ name }) => name).join("+"));
        this.#unanswered.push(response);
      },
      end: none,
    });
    this.#send({ versionInfo: version, responseNonce: "", error: undefined }, nodeId);
  }

  ack(): void {
    const { versionInfo, nonce } = this.#next();
    this.#send({ versionInfo, responseNonce: nonce, error: undefined });
  }

  nack(): void {
    this.#send({ versionInfo: "", responseNonce: this.#next().nonce, error: "no" });
  }

  get isWaiting(): boolean {
    return this.#unanswered.length > 0;
  }

  close(): void {
    this.#handle.close();
  }

  #next(): XdsResponse<SecretEvidence> {
    const response = this.#unanswered.shift();
    assert(response !== undefined);
    return response;
  }

  #send(
    request: { versionInfo: string; responseNonce: string; error: string | undefined },
    nodeId?: string,
  ): void {
    const node = nodeId === undefined ? undefined : { id: nodeId, cluster: "" };
    this.#handle.receiveSotw({ typeUrl: "", node, resourceNames: this.#names, ...request });
  }
}

/** Both streams have what there is. */
function openLive(): { readonly leaf: Stream; readonly bundle: Stream } {
  publish(0, 1);
  const both = { leaf: new Stream(["default"]), bundle: new Stream(["ROOTCA"]) };
  both.leaf.ack();
  both.bundle.ack();
  assert.deepEqual(take(), ["default", "ROOTCA"]);
  return both;
}

function take(): string[] {
  return order.splice(0);
}

test("a certificate goes out when the bundle that came with it is acknowledged", () => {
  const { bundle } = openLive();
  publish(1, 2);
  assert.deepEqual(take(), ["ROOTCA"]);
  bundle.ack();
  assert.deepEqual(take(), ["default"]);
});

test("it waits for each stream of that Envoy that takes a bundle, and for no other Envoy's", () => {
  const { bundle } = openLive();
  const validator = new Stream(["ALL"]);
  validator.ack();
  const other = new Stream(["default", "ROOTCA"], "", "proxy-2");
  other.ack();
  take();
  publish(1, 2);
  assert.deepEqual(take().toSorted(), ["ALL", "ROOTCA", "ROOTCA"]);
  other.ack();
  assert.deepEqual(take(), ["default"]);
  bundle.ack();
  assert.deepEqual(take(), []);
  validator.ack();
  assert.deepEqual(take(), ["default"]);
});

test("a refused bundle is an answer, too", () => {
  const { bundle } = openLive();
  publish(1, 2);
  take();
  bundle.nack();
  assert.deepEqual(take().toSorted(), ["ROOTCA", "default"]);
});

test("it waits for two seconds at most, and what comes meanwhile does not make it longer", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    openLive();
    publish(1, 2);
    take();
    mock.timers.tick(holdMsMax - 1);
    publish(3, 3);
    assert.deepEqual(take(), ["ROOTCA"]);
    mock.timers.tick(1);
    assert.deepEqual(take(), ["default"]);
  } finally {
    mock.timers.reset();
  }
});

test("it waits for nothing where the bundle is the same, or no bundle is asked for", () => {
  const { leaf, bundle } = openLive();
  publish(2, 1);
  assert.deepEqual(take(), ["default"]);
  leaf.ack();
  bundle.close();
  for (const name of ["default", id.toString()]) new Stream([name], "", "proxy-2").ack();
  take();
  publish(1, 2);
  assert.deepEqual(take(), ["default", "default", id.toString()]);
  for (const { subscriber } of channel.streams) {
    const nonces = subscriber.unanswered.map(({ nonce }) => nonce);
    assert.deepEqual(nonces, [`${subscriber.noncePrefix}${subscriber.responseCount}`]);
  }
});

test("the first that there is to have waits for nothing", () => {
  const streams = [["default"], ["ROOTCA"]].map((names) => new Stream(names));
  publish(0, 1);
  assert.deepEqual(take(), ["ROOTCA", "default"]);
  assert.equal(streams.length, 2);
});

test("an Envoy that comes back takes the bundle first, whichever stream comes first", () => {
  publish(1, 2);
  const leaf = new Stream(["default"], "of-before");
  assert.deepEqual(take(), []);
  const bundle = new Stream(["ROOTCA"], "of-before");
  assert.deepEqual(take(), ["ROOTCA"]);
  bundle.ack();
  assert.deepEqual(take(), ["default"]);
  leaf.ack();
});

test("one that comes back for a certificate alone has it after two seconds", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    publish(1, 2);
    const leaf = new Stream(["default"], "of-before");
    mock.timers.tick(holdMsMax - 1);
    assert.deepEqual(take(), []);
    mock.timers.tick(1);
    assert.deepEqual(take(), ["default"]);
    leaf.ack();
  } finally {
    mock.timers.reset();
  }
});

test("a stream for a bundle that breaks meanwhile is waited for", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { bundle } = openLive();
    publish(1, 2);
    bundle.close();
    take();
    publish(3, 2);
    assert.deepEqual(take(), []);
    const again = new Stream(["ROOTCA"], "of-before");
    again.ack();
    assert.deepEqual(take(), ["ROOTCA", "default"]);
  } finally {
    mock.timers.reset();
  }
});

test("a certificate that was refused beside a bad bundle is sent once more after a good one", () => {
  const { leaf, bundle } = openLive();
  publish(1, 2);
  bundle.nack();
  leaf.nack();
  bundle.ack();
  leaf.nack();
  take();
  publish(1, 3);
  assert.deepEqual(take(), ["ROOTCA"]);
  bundle.ack();
  assert.deepEqual(take(), ["default"]);
});

test("whatever is published and answered, no certificate overtakes a bundle", () => {
  const step = fc.oneof(
    fc.record({ leaf: fc.nat(3), roots: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ answers: fc.nat(2), isGood: fc.boolean() }),
  );
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        openChannel();
        publish(0, 1);
        const streams = ["default", "ROOTCA", "ALL"].map((name) => new Stream([name]));
        for (const stream of streams) stream.ack();
        for (const each of steps) {
          take();
          if ("leaf" in each) publish(each.leaf, each.roots);
          else if (streams[each.answers]?.isWaiting !== true) continue;
          else if (each.isGood) streams[each.answers]?.ack();
          else streams[each.answers]?.nack();
          if (order.includes("default")) assert.deepEqual(unanswered(), []);
        }
      }),
      { numRuns: 300 },
    );
  } finally {
    mock.timers.reset();
  }
});

/** Names of trust bundles whose present version has neither been taken nor refused. */
function unanswered(): string[] {
  return [...channel.streams].flatMap(({ subscriber: { subscriptions, snapshot } }) =>
    [...subscriptions].flatMap(([name, { acked, nack }]) => {
      const resource = snapshot.resources.get(name);
      if (resource?.evidence.rootsDigest === undefined) return [];
      return [acked?.version, nack?.version].includes(resource.version) ? [] : [name];
    }),
  );
}
