/** Secrets as an agent serves them, with symbols in the place of keys and certificates; the evidence in them is the production type's. */

import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import type { Snapshot, VersionedResource } from "../../src/core/xds/resource.ts";
import type { SimEvidence } from "./sds-stream.ts";
import { digestOf, maskOf, type Leaf } from "./symbols.ts";

type Secret = VersionedResource<SimEvidence>;

const validationNames = ["ROOTCA", "spiffe://mesh", "ALL"] as const;
const pending: ReadonlySet<string> = new Set(["default", ...validationNames]);
/** As the agent has it: a bundle that was refused stands in the way of the next leaf. */
const restored: ReadonlySet<string> = new Set(validationNames);
const body = new Uint8Array();

/** Before the first certificate no name can be said not to exist. */
export const nothingYet: Snapshot<SimEvidence> = { resources: new Map(), pending };

const leafSecrets = new WeakMap<Leaf, Secret>();
const bundleSecrets = new WeakMap<TrustBundle, readonly Secret[]>();

/** @param leaf undefined when there is none that is valid: an expired one is withheld, and its name stays pending */
export function snapshotOf(leaf: Leaf | undefined, bundle: TrustBundle): Snapshot<SimEvidence> {
  const resources = new Map<string, Secret>();
  if (leaf !== undefined) resources.set("default", leafSecret(leaf));
  for (const secret of validationSecrets(bundle)) resources.set(secret.name, secret);
  return { resources, pending, restored };
}

/** Without the certificate, for an Envoy that has to wait for it. */
export function withoutLeaf(snapshot: Snapshot<SimEvidence>): Snapshot<SimEvidence> {
  const resources = new Map(snapshot.resources);
  resources.delete("default");
  return { ...snapshot, resources };
}

function leafSecret(leaf: Leaf): Secret {
  const known = leafSecrets.get(leaf);
  if (known !== undefined) return known;
  const { serial: serialHex, notAfterMs } = leaf;
  const certificate = { serialHex, notAfterMs };
  const evidence = { certificate, bundleSequence: 0n, leaf, mask: 0 };
  const secret = { name: "default", version: serialHex, body, evidence };
  leafSecrets.set(leaf, secret);
  return secret;
}

/** Equal roots are equal bytes, whatever their sequence: the version says the roots alone. */
function validationSecrets(bundle: TrustBundle): readonly Secret[] {
  const known = bundleSecrets.get(bundle);
  if (known !== undefined) return known;
  const mask = maskOf(bundle.roots);
  const evidence = { bundleSequence: bundle.sequence, rootsDigest: digestOf(mask), mask };
  const version = String(mask);
  const secrets = validationNames.map((name) => ({ name, version, body, evidence }));
  bundleSecrets.set(bundle, secrets);
  return secrets;
}
