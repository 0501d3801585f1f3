/**
 * What is sent, and what is taken, as far as the two can disagree. No mode tells plaintext from TLS that is not the mesh's, so there
 * are two kinds: open (both of these) and mesh (mTLS). A set of kinds is two bits.
 */

import type { Sending } from "./proxy-policy.ts";
import type { ServerMode } from "./server-mode.ts";

export type Kind = 1 | 2;
export type Kinds = 0 | 1 | 2 | 3;

export const open: Kind = 1;
export const mesh: Kind = 2;
export const both: Kinds = 3;

export function kindOf(sends: Sending): Kind {
  return sends === "mtls" ? mesh : open;
}

export function otherKind(kind: Kind): Kind {
  return kind === open ? mesh : open;
}

const taken: Readonly<Record<ServerMode, Kinds>> = {
  disable: open,
  permissive: both,
  strict: mesh,
};

/** @param mode undefined where nothing of ours listens */
export function kindsTaken(mode: ServerMode | undefined): Kinds {
  return mode === undefined ? 0 : taken[mode];
}
