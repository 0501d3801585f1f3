/**
 * The identity of canaries: certificates of an authority that does not sign yet, with which agents try their Envoys' listeners. It
 * stands in no other certificate (`assignable-path`), and whoever shows it is nobody's peer.
 */

import { SpiffeId, type TrustDomain } from "../spiffe/id.ts";

const canaryPath = "/portcullis/canary";

export function canaryId(trustDomain: TrustDomain): SpiffeId {
  return SpiffeId.fromPath(trustDomain, canaryPath);
}

export function isCanaryId({ path }: SpiffeId): boolean {
  return path === canaryPath;
}
