import assert from "node:assert/strict";
import { before, test } from "node:test";
import * as fc from "fast-check";
import {
  makeAuthority,
  TEST_TRUST_DOMAIN,
  type TestAuthority,
} from "../../../test/support/authority.ts";
import { makeTestLeaf } from "../../../test/support/test-leaf.ts";
import type { SecretEvidence, WorkloadCertificate } from "../../core/envoy/secret.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { rootsDigest } from "../../core/spiffe/roots-digest.ts";
import { trustBundle } from "../../core/spiffe/trust-bundle.ts";
import { verifyChain } from "../../core/x509/chain.ts";
import type { Snapshot } from "../../core/xds/resource.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { SecretChannel } from "./secret-channel.ts";
import { SecretPublisher } from "./secret-publisher.ts";
import { encodeBundleSecrets, encodeCertificateSecrets, nothingYet } from "./secrets.ts";

const id = SpiffeId.forServiceAccount(TEST_TRUST_DOMAIN, "shop", "cart");
const authorities: TestAuthority[] = [];
const leaves: WorkloadCertificate[] = [];

before(async () => {
  for (let count = 0; count < 3; count++) {
    const authority = await makeAuthority("p256", Date.now());
    authorities.push(authority);
    leaves.push(await makeTestLeaf(authority, id));
  }
});

const rootsOf = (picks: readonly number[]): Uint8Array[] =>
  picks.map((pick) => authorities[pick]?.root ?? new Uint8Array());
const pick = fc.integer({ min: 0, max: 2 });
const picks = fc.uniqueArray(pick, { minLength: 1 });

test("what is published together is consistent: a leaf stands beside its root, or is withheld", () => {
  const steps = fc.array(fc.record({ leaf: pick, roots: picks }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(steps, (all) => {
      let published: Snapshot<SecretEvidence> = nothingYet;
      const withheld: string[] = [];
      using publisher = new SecretPublisher({
        events: { certificateWithheld: () => withheld.push("") } as unknown as AgentEvents,
        nowMs: Date.now,
        publish: (snapshot) => (published = snapshot),
      });
      for (const { leaf, roots } of all) {
        const certificate = leaves[leaf];
        assert(certificate !== undefined);
        const bundle = trustBundle(TEST_TRUST_DOMAIN, 1n, rootsOf(roots));
        publisher.publish(encodeCertificateSecrets(certificate), encodeBundleSecrets(bundle));
        const { resources, pending } = published;
        assert.equal(resources.get("ROOTCA")?.evidence.rootsDigest, rootsDigest(bundle.roots));
        const served = resources.get("default")?.evidence.certificate?.serialHex;
        assert.equal(served, roots.includes(leaf) ? certificate.serialHex : undefined);
        if (served !== undefined) verifyChain(certificate.chain, bundle.roots, Date.now());
        assert(pending.has("default"));
      }
    }),
    { numRuns: 200 },
  );
});

test("a new bundle goes to each stream before a new certificate does", () => {
  const order: string[] = [];
  const none = (): void => {};
  const channel = new SecretChannel(
    {
      nowMs: Date.now,
      streamsMax: 8,
      onEvidence: none,
      onFact: none,
      beforeAnswer: none,
      onBundleFetched: none,
    },
    nothingYet,
  );
  for (const names of [["default"], ["ROOTCA"], [id.toString()], ["ROOTCA", "default"]]) {
    const stream = channel.open("sotw", {
      send: ({ resources }) => order.push(resources.map(({ name }) => name).join("+")),
      end: none,
    });
    const node = { id: "proxy-1", cluster: "" };
    const request = { typeUrl: "", versionInfo: "", responseNonce: "", error: undefined };
    stream.receiveSotw({ ...request, node, resourceNames: names });
  }
  const publisher = new SecretPublisher({
    events: {} as unknown as AgentEvents,
    nowMs: Date.now,
    publish: channel.publish.bind(channel),
  });
  const [leaf] = leaves;
  assert(leaf !== undefined);
  const bundle = trustBundle(TEST_TRUST_DOMAIN, 1n, rootsOf([0, 1]));
  publisher.publish(encodeCertificateSecrets(leaf), encodeBundleSecrets(bundle));
  publisher[Symbol.dispose]();
  assert.deepEqual(order, ["ROOTCA", "ROOTCA+default", "default", id.toString()]);
});
