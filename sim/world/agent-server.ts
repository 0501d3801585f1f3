/** Whom an agent takes for its server: production decides, over symbols. */

import {
  decideAnchor,
  decideDialledAnchor,
  decideServerTrust,
} from "../../src/app/agent/server-trust.ts";
import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import type { Agent } from "./agent.ts";
import type { HeldSet } from "./agent-disk.ts";
import { bitOf, digestOf, maskOf, rootAt, rootsMax } from "./symbols.ts";

/** Roots that the server's certificate may hang on. */
export function serverMask({ fileMask, set, isValid }: Agent): number {
  const held = set === undefined ? 0 : maskOf(set.bundle.roots);
  const trust = decideServerTrust(set?.anchor, digestOf(fileMask), isValid);
  return trust === "file" ? fileMask : trust === "bundle" ? held : fileMask | held;
}

/** @param verifiedBy the root of the server's certificate when the reply came */
export function anchorOf(
  { fileMask, set }: Agent,
  verifiedBy: number,
  bundle: TrustBundle,
  trusted: readonly Uint8Array[],
): HeldSet["anchor"] {
  const file = { roots: rootsOf(fileMask), digest: digestOf(fileMask) };
  const [root = rootAt(0)] = rootsOf(verifiedBy);
  return decideAnchor(set?.anchor, root, bundle.roots, file, trusted);
}

/** The mesh stream was dialled, and the server's certificate verified. @returns undefined where nothing changes */
export function dialledAnchor({ fileMask, set, world }: Agent): HeldSet["anchor"] | undefined {
  if (set === undefined) return undefined;
  const file = { roots: rootsOf(fileMask), digest: digestOf(fileMask) };
  const [root = rootAt(0)] = rootsOf(world.server.own.rootBit);
  return decideDialledAnchor(set.anchor, root, set.bundle.roots, file);
}

function rootsOf(mask: number): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let index = 0; index < rootsMax; index++) {
    const root = rootAt(index);
    if ((mask & bitOf(root)) !== 0) all.push(root);
  }
  return all;
}
