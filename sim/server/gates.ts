/** The production gates over what this server knows, as `src/app/server/rotation/roll-view.ts` puts them together. */

import { holderGate } from "../../src/core/roll/holder-gate.ts";
import type { Gate } from "../../src/core/roll/laggard.ts";
import { verifierGate } from "../../src/core/roll/verifier-gate.ts";
import type { AuthorityRecord } from "../../src/core/trust/trust-state.ts";
import { digestOf, rootDigest } from "../world/symbols.ts";
import type { Server } from "./server.ts";

/** When the present bundle was published: what was signed from this index of the log on came with it. */
export interface BundleCut {
  readonly rootsDigest: string;
  readonly cutIndex: number;
}

const validationNames: ReadonlySet<string> = new Set(["ROOTCA", "spiffe://mesh", "ALL"]);
const namedMax = 32;

export class Gates {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  readonly verifiers = (): Gate => {
    const { roll, leaves, trust, bundleMask, durable, waivers, sessions, nowMs } = this.#server;
    const rootsDigest = digestOf(bundleMask);
    const { cut } = durable;
    const view = {
      roll,
      owners: leaves.owners,
      rootsDigest,
      rootsSequence: trust.rootsSequence,
      validationNames,
      cutIndex: cut?.rootsDigest === rootsDigest ? cut.cutIndex : undefined,
      speaksFor: sessions.speaksFor,
      classes: [],
      waived: waivers.names(),
      lostUntilMs: durable.lostUntilMs,
    };
    return verifierGate(view, nowMs, namedMax);
  };

  readonly holders = ({ root }: AuthorityRecord): Gate => {
    const { leaves, waivers, roll, durable, log, nowMs, own } = this.#server;
    const view = {
      holders: leaves.holders,
      root: rootDigest(root),
      own: [{ name: "serving", root: own.root }],
      leafAt: (index: number) => log.leafAt(index),
      waived: waivers.names(),
      waivedLeaves: waivers.leaves(log),
      skewMs: roll.maxSkewMs,
      lostUntilMs: durable.lostUntilMs,
      isAdopted: false,
    };
    return holderGate(view, nowMs, namedMax);
  };
}
